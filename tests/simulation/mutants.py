"""Defects put into the product from outside, and one into the simulation's own office, to see whether a simulation finds them. What finds
none of these proves nothing.

Each is a mistake that a tired author might make, and that all other runs of the same code survive as long as nothing goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from services.booking.bookings import mutations as bookings
from services.booking.bookings import occupancy
from services.booking.bookings.domain import Booking
from services.booking.bookings.queries import locked
from services.chassis import idempotency, inbox, relay
from services.chassis.consuming import AlreadyHandled, Delivery
from services.chassis.forwarding import Forwarder
from services.chassis.retrying import Transient
from services.notifications.bookings import mutations as news
from services.notifications.bookings.tables import BookingRow
from services.notifications.emails import consumers as mails
from services.payments.orders import mutations as orders
from services.payments.refunds import consumers as refunds
from tests.simulation.offices import Office
from tests.simulation.turns import checkpoint, reach


def forgets_the_inbox() -> None:
    """Every event is new, and none is marked as handled."""

    async def claim(session: object, group: str, event_ids: Any) -> set[str]:
        return set(event_ids)

    _put(inbox, claim=claim)


def forgets_late_refunds() -> None:
    """Money that came too late is refused, and nobody writes down that it must go back."""
    _put(Booking, refuse_payment=lambda self, *_: self._go("refuse payment"))


def confirms_unpaid() -> None:
    """A page to pay at is taken for a payment."""
    show = bookings.show_checkout

    async def show_and_confirm(work: Any, booking_id: Any, url: str) -> None:
        await show(work, booking_id, url)
        booking = await locked(work.session, booking_id)
        if booking and booking.status == "held":
            booking.pay("order", booking.price_minor, booking.currency)

    _put(bookings, show_checkout=show_and_confirm)


def takes_no_court_back() -> None:
    """A booking that is paid late is confirmed whether or not its court is still free."""

    async def take(session: object, booking: object) -> bool:
        return True

    _put(occupancy, take=take)


def frees_no_court() -> None:
    """A booking that is called off keeps its court."""

    async def release(session: object, booking: object, now: object) -> None: ...

    _put(occupancy, release=release)


def commits_offsets_first() -> None:
    """A batch counts as handled before it is. The simulation's own defect: there, it is the office that commits, and not the product."""
    consume = Office.consume

    async def too_early(self: Office, worker: Any, group: Any, place: Any, records: Any) -> None:
        self.tools.log.commit(group.name, place, records[-1].offset + 1)
        reach("offsets.committed")
        await checkpoint("handling")
        await consume(self, worker, group, place, records)

    _put(Office, consume=too_early)


def deletes_before_it_sends() -> None:
    """The relay deletes its rows in a transaction of their own, and then sends them."""

    async def deleting(self: Any, connection: Any, sender: Any, queue: Any) -> Any:
        batch = await queue.oldest(connection)
        await connection.execute("COMMIT")
        await connection.execute(relay.DELETE, batch.numbers)
        await connection.execute("BEGIN")
        if batch.rows:
            queue.passes(batch)
            await self._deliver(connection, sender, batch)
            reach("relay.sent")
        return batch

    _put(relay.Relay, _carry=deleting)


def loses_what_is_put_off() -> None:
    """A record whose turn is not yet is taken for one that is done."""
    forward = Forwarder.forward

    async def losing(self: Forwarder, record: Any, hop: Any) -> str:
        return str(hop.topic) if hop.topic.endswith("5s") else await forward(self, record, hop)

    _put(Forwarder, forward=losing)


def mails_under_a_new_key() -> None:
    """Each try has an Idempotency-Key of its own."""
    keys = iter(range(10**9))
    send = mails.Sending._send

    async def under_a_new_key(self: Any, attempt: Any, delivery: Any) -> None:
        real = self.provider

        class Provider:
            name = real.name

            async def send(self, payload: Any, idempotency_key: str) -> Any:
                return await real.send(payload, f"{idempotency_key} {next(keys)}")

        await send(replace(self, provider=Provider()), attempt, delivery)

    _put(mails.Sending, _send=under_a_new_key)


def claims_before_it_calls() -> None:
    """A mail's event is marked as handled, and then the mail is sent."""
    send = mails.Sending._send

    async def claiming(self: Any, attempt: Any, delivery: Delivery[Any]) -> None:
        async with delivery.once():
            pass
        try:
            await send(self, attempt, delivery)
        except AlreadyHandled:
            return

    _put(mails.Sending, _send=claiming)


def believes_the_older_event() -> None:
    """Whatever comes last is taken for the newest."""
    follow = news.follow

    async def believing(work: Any, event: Any) -> bool:
        row = await work.session.get(BookingRow, event.booking_id, with_for_update=True)
        if row is not None and event.version < row.version:
            row.version, row.status, row.told = event.version, event.status, event.model_dump(mode="json")
        return await follow(work, event)

    _put(mails, follow=believing)


def answers_anew() -> None:
    """A repeated request is carried out again."""
    key: Any = idempotency.IdempotencyKey.of
    numbers = iter(range(10**9))

    def of(user_id: Any, told: str | None, operation: str, body: Any = None) -> Any:
        return key(user_id, told and f"{told} {next(numbers)}", operation, body)

    _put(idempotency.IdempotencyKey, of=staticmethod(of))


def pays_for_what_is_lapsed() -> None:
    """Money for an attempt that was given up is not told on."""
    accept = orders._accept

    async def accepting(work: Any, order: Any, attempt: Any, actor: str) -> None:
        told = len(work.outgoing)
        await accept(work, order, attempt, actor)
        if attempt.state == "lapsed":
            del work.outgoing[told:]

    _put(orders, _accept=accepting)


def takes_a_failed_refund_for_done() -> None:
    """A refund whose call broke off is taken for one that was made."""
    ask = refunds._ask

    async def believing(call: Any, polar: Any, net_minor: int, seen: Any) -> Any:
        try:
            return await ask(call, polar, net_minor, seen)
        except Transient:
            return seen

    _put(refunds, _ask=believing)


MUTANTS: Mapping[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        forgets_the_inbox,
        forgets_late_refunds,
        confirms_unpaid,
        takes_no_court_back,
        frees_no_court,
        commits_offsets_first,
        deletes_before_it_sends,
        loses_what_is_put_off,
        mails_under_a_new_key,
        claims_before_it_calls,
        believes_the_older_event,
        answers_anew,
        pays_for_what_is_lapsed,
        takes_a_failed_refund_for_done,
    )
}


def _put(place: Any, **instead: Any) -> None:
    """A module's or a class's own, replaced for the rest of this process's life."""
    for name, value in instead.items():
        setattr(place, name, value)
