"""Holding a slot: one statement when it succeeds; only a refusal looks further, for holds that are over or for the reason."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Literal

import asyncpg
import orjson
import stamina

from courtside_contracts.booking import BookingConfirmed, BookingHeld
from services.booking.bookings.counting import BOOKINGS
from services.booking.bookings.domain import ActiveBookingLimit, Booking, TooManyAtOnce
from services.booking.bookings.events import tell
from services.booking.bookings.mutations import end_overdue
from services.booking.bookings.outlook import Outlooks
from services.booking.bookings.representation import etag, represent
from services.booking.users.domain import UserErased
from services.booking.venues.domain import Court, Slot, Venue
from services.booking.venues.queries import Catalogue
from services.chassis.crash_points import reach
from services.chassis.database import Database
from services.chassis.idempotency import Answer, IdempotencyKey, replay
from services.chassis.outbox import Outgoing
from services.chassis.service import Chassis

STATEMENT = files(__package__).joinpath("hold.sql").read_text()
REFUSED = "CS001"
"""The SQLSTATE of the function `refuse_hold`; its message is one of `Refusal`."""

Outcome = Literal["held", "player erased", "key seen", "slot taken", "no seat", "seat race"]


@dataclass(frozen=True)
class Hold:
    """A hold that is ready to be written: the booking, its event and the answer are known beforehand, only its luck is not."""

    booking: Booking
    slot: Slot
    venue: Venue
    court: Court
    key: IdempotencyKey | None

    async def place(self, chassis: Chassis, catalogue: Catalogue, outlooks: Outlooks) -> Answer:
        """The answer, or that of the first request with this idempotency key."""
        swept = False
        for _ in range(self.venue.max_active_bookings + 3):
            outcome = await self._try(chassis.database)
            if outcome == "held":
                chassis.doorbell.ring()
                BOOKINGS.labels(self.kind.type).inc()
                return self.answer
            if outcome == "player erased":
                raise UserErased
            if outcome == "key seen" and (first := await replay(chassis.database, self.key)):
                return first
            if outcome == "slot taken":
                await self._make_way(chassis, catalogue, outlooks)
            elif outcome == "no seat" and swept:
                raise self._limit_reached()
            elif outcome == "no seat":
                # Even if there is nothing to sweep: another request of this player may have done it just now.
                await end_overdue(chassis, catalogue, bookings_of=self.booking.user_id)
                swept = True
        raise TooManyAtOnce("Too many requests want the same. Try again.")

    async def _make_way(self, chassis: Chassis, catalogue: Catalogue, outlooks: Outlooks) -> None:
        """End the holds that are over and in the way. Raises `SlotAlreadyTaken` when something else stands there."""
        outlook = await outlooks.of(self.venue, self.court, self.slot)
        if any(not one.overdue for one in outlook.in_the_way):
            raise outlook.refusal()
        if outlook.in_the_way:
            await end_overdue(chassis, catalogue, in_the_way_of=self.slot)

    @cached_property
    def answer(self) -> Answer:
        headers = {"Location": f"/v1/bookings/{self.booking.id}", "ETag": etag(self.booking)}
        return Answer(201, orjson.dumps(represent(self.booking, self.venue, self.court)), headers)

    @property
    def kind(self) -> type[BookingHeld | BookingConfirmed]:
        return BookingHeld if self.booking.status == "held" else BookingConfirmed

    @stamina.retry(on=(asyncpg.DeadlockDetectedError, asyncpg.SerializationError), attempts=3, wait_max=0.5)
    async def _try(self, database: Database) -> Outcome:
        reach("hold.asked")
        try:
            await database.fetch(STATEMENT, *self._arguments())
        except asyncpg.PostgresError as error:
            if error.sqlstate != REFUSED:
                raise
            return str(error)  # type: ignore[return-value]  # one of the others: the statement has no other
        reach("hold.committed")
        return "held"

    def _arguments(self) -> tuple[object, ...]:
        booking, key = self.booking, self.key
        row = Outgoing.of(tell(self.kind, booking, self.venue, self.court), booking.created_at).row()
        return (
            booking.user_id,
            key.key if key else None,
            key.request_hash if key else None,
            self.answer.body,
            booking.created_at,
            booking.court_id,
            booking.starts_at,
            booking.ends_at,
            booking.id,
            self.venue.max_active_bookings,
            booking.venue_id,
            booking.price_minor,
            booking.currency,
            booking.cancellation_window_hours,
            booking.hold_expires_at,
            row["id"],
            row["aggregatetype"],
            row["aggregateid"],
            row["type"],
            row["payload"],
            orjson.dumps(row["headers"]).decode(),
            booking.status,
            key.user_id if key else None,
            orjson.dumps(self.answer.headers).decode(),
            booking.price_rule_id,
        )

    def _limit_reached(self) -> ActiveBookingLimit:
        limit = self.venue.max_active_bookings
        return ActiveBookingLimit(
            f"You have {limit} active bookings, which is the club's limit. Cancel one, or let an unpaid hold run out.",
            limit=limit,
        )
