"""What Polar, Resend, banks and mailboxes do, and what becomes of their webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from services.notifications.webhooks import mutations as resend_webhooks
from services.payments.webhooks import mutations as polar_webhooks
from services.payments.webhooks.domain import parse
from services.payments.webhooks.receipts import Receipt
from tests.simulation import people
from tests.simulation.moving import Happening, one_of
from tests.simulation.offices import Office
from tests.simulation.providers import Webhook, end_webhook, pending_webhooks
from tests.simulation.turns import Actor
from tests.simulation.wire import FATES
from tests.simulation.world import World


async def _webhook(world: World, n: tuple[int, ...]) -> Actor | None:
    """Any that waits, in whatever order; one in four comes again later."""
    found = one_of(n[0], waiting_webhooks(world))
    return bring(world, *found, ends=n[1] % 4 > 0) if found else None


def waiting_webhooks(world: World) -> list[tuple[Office, Webhook]]:
    told = ((world.payments, world.polar.standin.database), (world.notifications, world.resend.outbox.database))
    return [(office, webhook) for office, database in told for webhook in pending_webhooks(database)]


def bring(world: World, office: Office, webhook: Webhook, *, ends: bool = True) -> Actor:
    is_polars = office is world.payments
    database = (world.polar.standin if is_polars else world.resend.outbox).database

    async def receive() -> None:
        async with office.chassis.unit_of_work() as work:
            if is_polars:
                told = Receipt.of(webhook.id, parse(webhook.body), webhook.body, work.now)
                await polar_webhooks.store(work, [told])
            else:
                await resend_webhooks.store(work, webhook.id, webhook.body)
        if ends:
            end_webhook(database, webhook, "succeeded")

    return world.turns.begin(f"webhook {webhook.type}", office.api, receive)


async def _lose_webhook(world: World, n: tuple[int, ...]) -> None:
    if found := one_of(n[0], pending_webhooks(world.polar.standin.database)):
        end_webhook(world.polar.standin.database, found, "skipped")


async def _bank(world: World, n: tuple[int, ...]) -> None:
    if page := one_of(n[0], world.polar.documents("checkouts", "confirmed")):
        world.polar.settle(page["id"], declined=n[1] % 3 == 0)


async def _refund_ends(world: World, n: tuple[int, ...]) -> None:
    """One that is pending, or, now and then, one that had succeeded and fails after all."""
    wanted = "succeeded" if n[1] % 6 == 0 else "pending"
    if refund := one_of(n[0], world.polar.documents("refunds", wanted)):
        world.polar.end_refund(refund["id"], failed=wanted == "succeeded" or n[2] % 3 == 0)


async def _refunds_take_time(world: World, n: tuple[int, ...]) -> None:
    world.polar.standin.settings.refund_s = (0, 3_600, 86_400)[n[0] % 3]


async def _refund_unasked(world: World, n: tuple[int, ...]) -> None:
    if order := one_of(n[0], world.polar.documents("orders", "paid")):
        world.polar.refund_unasked(order["id"])


async def _provider_fails(world: World, n: tuple[int, ...]) -> None:
    """Its next calls, the first ones as they are."""
    wire = world.polar.wire if n[0] % 3 else world.resend.wire
    wire.fates += [FATES[n[1] % len(FATES)]] * (1 + n[2] % (12 if n[3] % 8 == 0 else 3))


async def _address_bounces(world: World, n: tuple[int, ...]) -> None:
    world.resend.bounce(f"{people.PLAYERS[n[0] % len(people.PLAYERS)]}@club.example")


HAPPENINGS: Mapping[str, Happening] = {
    "webhook": _webhook,
    "lose webhook": _lose_webhook,
    "bank": _bank,
    "refund ends": _refund_ends,
    "provider fails": _provider_fails,
    "refunds take time": _refunds_take_time,
    "refund unasked": _refund_unasked,
    "address bounces": _address_bounces,
}
