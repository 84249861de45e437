"""Defects of the booking service."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import false, select

from courtside_contracts.booking import BookingConfirmed, BookingEvent
from courtside_contracts.envelope import Event
from courtside_contracts.payment import PaymentCheckoutOpened
from services.booking import app
from services.booking.bookings import mutations, queries
from services.booking.bookings.domain import Booking, SlotAlreadyTaken
from services.booking.bookings.hold import Hold
from services.booking.bookings.outlook import Outlook
from services.booking.bookings.tables import bookings
from services.booking.users.mutations import KnownUsers
from services.booking.venues.queries import Catalogue
from services.chassis.consuming import Consumers, InTransaction
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKey
from services.chassis.unit_of_work import UnitOfWork
from tests.faults.mutants.defects.replacing import every, replace

SEATS = 9
"""Where the club's limit stands among the arguments of a hold."""
SURCHARGE_MINOR = 100


def allow_overlaps() -> None:
    def make(opened: Any) -> Any:
        async def without_the_constraint(settings: Any) -> Database:
            connection = await asyncpg.connect(os.environ["BOOKING_DATABASE_URL"])
            await connection.execute("ALTER TABLE court_occupancy DROP CONSTRAINT IF EXISTS court_occupancy_no_overlap")
            await connection.close()
            database: Database = await opened(settings)
            return database

        return without_the_constraint

    replace(Database, "open", make)


def give_a_third_seat() -> None:
    def make(argued: Any) -> Any:
        def with_one_more(self: Hold) -> tuple[object, ...]:
            arguments = argued(self)
            return (*arguments[:SEATS], self.venue.max_active_bookings + 1, *arguments[SEATS + 1 :])

        return with_one_more

    replace(Hold, "_arguments", make)


def answer_without_writing() -> None:
    it_is_time = every(5)

    def make(tried: Any) -> Any:
        async def sometimes(self: Hold, database: Database) -> Any:
            return "held" if it_is_time() else await tried(self, database)

        return sometimes

    replace(Hold, "_try", make)


def turn_all_payments_away() -> None:
    async def turn_away(work: UnitOfWork, catalogue: Catalogue, booking: Booking, payment: Any) -> bool:
        if booking.status == "held":
            booking.hold_expires_at = work.now - timedelta(seconds=1)
            await mutations._end(work, catalogue, [booking])
        return False

    replace(mutations, "_confirm", lambda _: turn_away)


def confirm_unpaid() -> None:
    def make(told: Any) -> Any:
        def generous(catalogue: Catalogue) -> Consumers:
            consumers: Consumers = told(catalogue)
            show = consumers.in_transaction[PaymentCheckoutOpened]

            async def show_and_confirm(work: UnitOfWork, event: PaymentCheckoutOpened) -> None:
                await show(work, event)
                await _confirm(work, catalogue, event.booking_id)

            mine: dict[type[Event], InTransaction] = dict(consumers.in_transaction)
            mine[PaymentCheckoutOpened] = show_and_confirm
            return dataclasses.replace(consumers, in_transaction=mine)

        return generous

    replace(app, "consumers", make)


async def _confirm(work: UnitOfWork, catalogue: Catalogue, booking_id: UUID) -> None:
    booking = await queries.locked(work.session, booking_id)
    if booking is not None and booking.status == "held":
        booking.status, booking.hold_expires_at, booking.version = "confirmed", None, booking.version + 1
        await mutations._tell(work, catalogue, BookingConfirmed, booking)


def accept_any_amount() -> None:
    def make(paid: Any) -> Any:
        def pay(self: Booking, order_id: str, *_: Any) -> None:
            paid(self, order_id, self.price_minor, self.currency)

        return pay

    replace(Booking, "pay", make)


def cancel_at_any_time() -> None:
    replace(Booking, "_refuse_outside_window", lambda _: lambda *_: None)


def forget_keys() -> None:
    replace(IdempotencyKey, "of", lambda _: staticmethod(lambda *_: None))


def fail_on_taken_slots() -> None:
    replace(SlotAlreadyTaken, "status", lambda _: 500)


def let_holds_live() -> None:
    """For the sweep, for whoever asks for the slot, and for the payment alike."""

    def make(looked: Any) -> Any:
        async def look(*about: Any) -> Outlook:
            found: Outlook = await looked(*about)
            return dataclasses.replace(
                found, occupancy=[dataclasses.replace(one, overdue=False) for one in found.occupancy]
            )

        return staticmethod(look)

    replace(Outlook, "look", make)
    replace(mutations, "_overdue", lambda _: lambda _: false())
    replace(Booking, "is_overdue", lambda _: lambda *_: False)


def show_to_everyone() -> None:
    def make(seen: Any) -> Any:
        async def visible(session: Any, booking_id: Any, caller: Any, *, lock: bool = False) -> Booking:
            found = select(Booking).where(bookings.c.id == booking_id)
            anybodys: Booking | None = await session.scalar(found.with_for_update() if lock else found)
            return anybodys or await seen(session, booking_id, caller, lock=lock)

        return visible

    replace(queries, "visible", make)


def overcharge() -> None:
    def make(began: Any) -> Any:
        def begin(*about: Any, **more: Any) -> Booking:
            booking: Booking = began(*about, **more)
            booking.price_minor += SURCHARGE_MINOR
            return booking

        return staticmethod(begin)

    replace(Booking, "begin", make)


def tell_addresses() -> None:
    addresses: dict[str, str] = {}

    def make_remember(remembered: Any) -> Any:
        async def remember(self: KnownUsers, principal: Any) -> None:
            addresses[str(principal.user_id)] = principal.email
            await remembered(self, principal)

        return remember

    def make_value(written: Any) -> Any:
        def value(self: BookingEvent) -> bytes:
            told = json.loads(written(self))
            return json.dumps(told | {"player": addresses.get(told["user_id"])}).encode()

        return value

    replace(KnownUsers, "remember", make_remember)
    replace(BookingEvent, "value", make_value)
