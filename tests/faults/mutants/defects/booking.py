"""Defects of the booking service."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import datetime
from typing import Any

import asyncpg

from courtside_contracts.booking import BookingEvent
from services.booking.bookings import consumers, hold, mutations, queries
from services.booking.bookings.domain import Booking, SlotAlreadyTaken
from services.booking.bookings.outlook import Outlook
from services.booking.users.mutations import KnownUsers
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKey


def allow_overlaps() -> None:
    opened = Database.open

    async def without_the_constraint(settings: Any) -> Database:
        connection = await asyncpg.connect(os.environ["BOOKING_DATABASE_URL"])
        await connection.execute("ALTER TABLE court_occupancy DROP CONSTRAINT IF EXISTS court_occupancy_no_overlap")
        await connection.close()
        return await opened(settings)

    Database.open = without_the_constraint  # type: ignore[method-assign, assignment]  # on purpose


def give_a_third_seat() -> None:
    argued = hold.Hold._arguments

    def with_one_more(self: hold.Hold) -> tuple[object, ...]:
        arguments = list(argued(self))
        arguments[9] = self.venue.max_active_bookings + 1
        return tuple(arguments)

    hold.Hold._arguments = with_one_more  # type: ignore[method-assign]  # on purpose


def answer_without_writing() -> None:
    tried, asked = hold.Hold._try, [0]

    async def sometimes(self: hold.Hold, database: Database) -> Any:
        asked[0] += 1
        return "held" if asked[0] % 5 == 0 else await tried(self, database)

    hold.Hold._try = sometimes  # type: ignore[method-assign, assignment]  # on purpose


def confirm_unpaid() -> None:
    async def show_checkout(work: Any, event: Any) -> None:
        await mutations.show_checkout(work, event.booking_id, event.checkout_url)
        booking = await queries.locked(work.session, event.booking_id)
        if booking is not None and booking.status == "held":
            booking.status, booking.hold_expires_at = "confirmed", None
            booking.version += 1
            await mutations._tell(work, CATALOGUE[0], mutations.BookingConfirmed, booking)

    take = consumers.take_payment

    consumers.show_checkout = show_checkout
    consumers.take_payment = take
    _remember_the_catalogue()


CATALOGUE: list[Any] = []


def _remember_the_catalogue() -> None:
    from services.booking import app  # noqa: PLC0415 - after what it imports was spoilt

    made = app.Catalogue

    def remembered(database: Database) -> Any:
        CATALOGUE[:] = [made(database)]
        return CATALOGUE[0]

    app.Catalogue = remembered  # type: ignore[misc, assignment]  # on purpose


def accept_any_amount() -> None:
    paid = Booking.pay

    def pay(self: Booking, order_id: str, amount_minor: int, currency: str) -> None:
        del amount_minor, currency
        paid(self, order_id, self.price_minor, self.currency)

    Booking.pay = pay  # type: ignore[method-assign]  # on purpose


def cancel_at_any_time() -> None:
    Booking._refuse_outside_window = lambda *_: None  # type: ignore[method-assign]  # on purpose


def forget_keys() -> None:
    IdempotencyKey.of = classmethod(lambda *_: None)  # type: ignore[method-assign, assignment]  # on purpose


def fail_on_taken_slots() -> None:
    SlotAlreadyTaken.status = 500


def let_holds_live() -> None:
    """For the sweep, for whoever asks for the slot, and for the payment alike."""
    looked = Outlook.look.__func__  # type: ignore[attr-defined]  # a class method

    async def look(cls: type[Outlook], *about: Any) -> Outlook:
        found: Outlook = await looked(cls, *about)
        standing = [
            one._replace(overdue=False) if hasattr(one, "_replace") else _standing(one) for one in found.occupancy
        ]
        return dataclasses.replace(found, occupancy=standing)

    Outlook.look = classmethod(look)  # type: ignore[method-assign, assignment]  # on purpose
    mutations._overdue = lambda now: mutations.bookings.c.hold_expires_at <= datetime.fromtimestamp(0, now.tzinfo)
    Booking.is_overdue = lambda *_: False  # type: ignore[method-assign]  # on purpose


def _standing(one: Any) -> Any:
    return dataclasses.replace(one, overdue=False)


def show_to_everyone() -> None:
    async def visible(session: Any, booking_id: Any, caller: Any, *, lock: bool = False) -> Booking:
        del caller
        found = queries.select(Booking).where(queries.bookings.c.id == booking_id)
        booking = await session.scalar(found.with_for_update() if lock else found)
        if booking is None:
            raise queries.BookingNotFound("There is no such booking of yours.", booking_id=str(booking_id))
        return booking  # type: ignore[no-any-return]  # of the statement above

    queries.visible = visible


def overcharge() -> None:
    began = Booking.begin.__func__  # type: ignore[attr-defined]  # a class method

    def begin(cls: type[Booking], *about: Any, **more: Any) -> Booking:
        booking: Booking = began(cls, *about, **more)
        booking.price_minor += 100
        return booking

    Booking.begin = classmethod(begin)  # type: ignore[method-assign, assignment]  # on purpose


def tell_addresses() -> None:
    addresses: dict[str, str] = {}
    remembered, written = KnownUsers.remember, BookingEvent.value

    async def remember(self: KnownUsers, principal: Any) -> None:
        addresses[str(principal.user_id)] = principal.email
        await remembered(self, principal)

    def value(self: BookingEvent) -> bytes:
        told = json.loads(written(self))
        return json.dumps(told | {"player": addresses.get(told["user_id"])}).encode()

    KnownUsers.remember = remember  # type: ignore[method-assign]  # on purpose
    BookingEvent.value = value  # type: ignore[method-assign]  # on purpose
