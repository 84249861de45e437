"""Payments tell the booking service of a page and of money: in any order, with copies, a booking ends in one way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from courtside_contracts.payment import PaymentCheckoutOpened, PaymentSucceeded
from services.booking.app import consumers
from services.booking.bookings import mutations
from services.booking.bookings.outlook import Outlooks
from services.booking.venues.domain import Slot
from services.booking.venues.seed import court_id
from tests.integration.booking.in_process import Office, migrate
from tests.integration.permuting import NOON, Player, ends, orders, record

SEVEN = ("page", "page", "money", "money", "money again", "more money", "more money")
"""`money again` tells of the same order under another event id; `more money` is a second order for the same booking."""


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["in time", "after the hold has ended"])
async def test_page_and_money_in_any_order_confirm_once_and_owe_the_rest(
    new_database: Callable[[str], Awaitable[str]], late: bool
) -> None:
    """Which of two orders pays is whichever comes first, by nature. The other one goes back, once; nothing else that shows differs."""
    url = await new_database("booking")
    await migrate(url)
    async with Office.open(url) as office:
        player = Player(office.chassis.settings, consumers(office.catalogue), office.chassis.unit_of_work)
        chosen = orders(SEVEN)
        days = iter(range(1, len(chosen) + 1))

        async def run(order: tuple[str, ...]) -> tuple[Any, ...]:
            booking_id = await a_hold(office, next(days), late=late)
            told = records(booking_id)
            await player.play(told[kind] for kind in order)
            first = next(kind for kind in order if "money" in kind).removesuffix(" again")
            return await end(office, booking_id, paid_by=first)

        assert len(chosen) == 630
        found = await ends(chosen, run)
    story = ("held", "expired", "confirmed", "refund_due") if late else ("held", "confirmed", "refund_due")
    assert list(found) == [("confirmed", True, story, "the other", 2400)]


def records(booking_id: UUID) -> dict[str, Any]:
    attempt = uuid4()
    facts: dict[str, Any] = {
        "booking_id": booking_id,
        "attempt_id": attempt,
        "amount_minor": 2400,
        "currency": "EUR",
        "paid_at": NOON,
    }
    money, more = (PaymentSucceeded(**facts, order_id=f"{name} {booking_id}") for name in ("money", "more money"))
    page = PaymentCheckoutOpened(
        booking_id=booking_id,
        attempt_id=attempt,
        checkout_url="https://polar.example/c",
        expires_at=NOON,
        amount_minor=2400,
        currency="EUR",
    )
    return {
        "page": record(page, str(uuid4())),
        "money": record(money, str(uuid4())),
        "money again": record(money, str(uuid4())),
        "more money": record(more, str(uuid4())),
    }


async def a_hold(office: Office, day: int, *, late: bool) -> UUID:
    (player,) = await office.new_players(1)
    starts_at = NOON + timedelta(days=365 + day)
    slot = Slot(court_id(1), starts_at, starts_at + timedelta(minutes=90), 2400)
    hold = await office.hold_of(player, slot)
    await hold.place(office.chassis, office.catalogue, Outlooks(office.chassis))
    if late:
        await office.chassis.database.pool.execute(
            "UPDATE bookings SET hold_expires_at = now() - interval '1 minute' WHERE id = $1", hold.booking.id
        )
        async with office.chassis.unit_of_work() as work:
            await mutations.expire_all(work, office.catalogue)
    return hold.booking.id


async def end(office: Office, booking_id: UUID, *, paid_by: str) -> tuple[Any, ...]:
    """Status, whether it stands on the court, its story, and what is owed back."""
    pool = office.chassis.database.pool
    status = await pool.fetchval("SELECT status FROM bookings WHERE id = $1", booking_id)
    stands = await pool.fetchval("SELECT count(*) = 1 FROM court_occupancy WHERE booking_id = $1", booking_id)
    rows = await pool.fetch("SELECT type, payload FROM outbox WHERE aggregateid = $1 ORDER BY seq", str(booking_id))
    told = [orjson.loads(row["payload"]) for row in rows]
    assert [each["version"] for each in told] == list(range(1, len(told) + 1))
    (due,) = told[-1]["refunds_due"]
    whose = "the same" if due["order_id"] == f"{paid_by} {booking_id}" else "the other"
    story = tuple(row["type"].removeprefix("booking.").removesuffix(".v1") for row in rows)
    return status, stands, story, whose, due["amount_minor"]
