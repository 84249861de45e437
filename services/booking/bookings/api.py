"""How a booking is made and changed; what there is to see of it stands in `reading_api`."""

from __future__ import annotations

from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Response
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from services.booking.blocked_slots.filling import CourtContended
from services.booking.bookings import mutations, queries
from services.booking.bookings.choosing import (
    CourtOutOfUse,
    SlotBeyondHorizon,
    SlotInThePast,
    SlotNotOnGrid,
    SlotTooSoon,
    choose_slot,
)
from services.booking.bookings.domain import (
    ActiveBookingLimit,
    Booking,
    BookingChanged,
    CancellationWindowClosed,
    CourtTaken,
    OtherVenue,
    SlotAlreadyTaken,
    TooManyAtOnce,
)
from services.booking.bookings.hold import Hold
from services.booking.bookings.life_cycle import TransitionNotPossible
from services.booking.bookings.queries import BookingNotFound
from services.booking.bookings.representation import (
    BookingOut,
    CancelIn,
    HoldIn,
    MovedOut,
    RescheduleIn,
    etag,
    represent,
)
from services.booking.dependencies import CatalogueOf, ChassisOf, KnownUsersOf, OutlooksOf
from services.booking.users.domain import EmailBelongsToAnotherUser, StaffOnly, UserErased, UserNotFound
from services.booking.users.queries import must_live
from services.booking.users.rights import rights_of, role_at, role_in
from services.booking.venues.domain import Venue
from services.booking.venues.queries import CourtNotFound
from services.chassis import limits, problems
from services.chassis.auth import Caller, Principal, Role
from services.chassis.etags import ETAG, TAGGED, IfMatch
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, KeyHeader, once, replay
from services.chassis.problems import Problem, Responses
from services.chassis.unit_of_work import UnitOfWork

router = APIRouter(
    prefix="/v1/bookings",
    tags=["bookings"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, UserErased),
)
CHANGES = (
    BookingNotFound,
    TransitionNotPossible,
    CancellationWindowClosed,
    BookingChanged,
    CourtContended,
    IdempotencyKeyReused,
)
PLACES = (CourtNotFound, CourtOutOfUse, SlotAlreadyTaken, SlotBeyondHorizon, SlotInThePast, SlotNotOnGrid, SlotTooSoon)
MADE: Responses = {
    201: {"headers": ETAG | {"Location": {"description": "The booking", "schema": {"type": "string"}}}},
}


@router.post(
    "",
    status_code=201,
    response_model=BookingOut,
    responses=MADE
    | problems.responses(
        *PLACES,
        ActiveBookingLimit,
        StaffOnly,
        UserErased,
        EmailBelongsToAnotherUser,
        UserNotFound,
        TooManyAtOnce,
        CourtContended,
        IdempotencyKeyReused,
    ),
)
async def hold_slot(
    body: HoldIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    known_users: KnownUsersOf,
    outlooks: OutlooksOf,
    idempotency_key: KeyHeader = None,
) -> Response:
    """Hold a free slot until it is paid for, or the hold runs out. With nothing to pay it is confirmed at once."""
    venue, court = await catalogue.court(body.court_id)
    player_id = body.user_id or caller.user_id
    if body.without_payment or body.user_id:
        await _require_staff(chassis, caller, venue.id, player_id=body.user_id)
    is_own = player_id == caller.user_id  # who books for another does not give them the own price
    role: Role = await role_in(chassis.database, caller, venue.id) if is_own else "player"
    now = chassis.clock.now()
    key = IdempotencyKey.of(caller.user_id, idempotency_key, "POST /v1/bookings", body)
    try:
        slot = choose_slot(venue, court, body.starts_at, now, role)
    except Problem:
        # A repeated request gets its answer, also when the slot has begun since, or the court was closed.
        if first := await replay(chassis.database, key):
            return first.response()
        raise
    await known_users.remember(caller)
    free = body.without_payment or slot.price_minor == 0
    booking = Booking.begin(uuid7(), slot, venue, player_id, now, free=free)
    return (await Hold(booking, slot, venue, court, key).place(chassis, catalogue, outlooks)).response()


@router.post("/{booking_id}/cancel", response_model=BookingOut, responses=TAGGED | problems.responses(*CHANGES))
async def cancel_booking(
    booking_id: UUID,
    body: CancelIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    idempotency_key: KeyHeader = None,
    if_match: IfMatch = None,
) -> Response:
    """Give the booking up. A player may until `cancel_until`; what was paid goes back."""

    async def change(work: UnitOfWork) -> Answer:
        booking = await _unchanged(work, booking_id, caller, if_match)
        by = (await rights_of(work.session, caller)).party_at(booking.venue_id)
        await mutations.cancel(work, catalogue, booking, by, body.reason)
        shown = represent(booking, *await catalogue.court(booking.court_id))
        return Answer(200, orjson.dumps(shown), {"ETag": etag(booking)})

    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST /v1/bookings/{booking_id}/cancel", body)
    return (await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))).response()


@router.post(
    "/{booking_id}/reschedule",
    response_model=MovedOut,
    responses=TAGGED | problems.responses(*CHANGES, *PLACES, OtherVenue),
)
async def reschedule_booking(
    booking_id: UUID,
    body: RescheduleIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    outlooks: OutlooksOf,
    idempotency_key: KeyHeader = None,
    if_match: IfMatch = None,
) -> Response:
    """Move a confirmed booking to another slot of the same venue, in one step. What was paid stays; the difference is told."""
    venue, court = await catalogue.court(body.court_id)

    async def change(work: UnitOfWork) -> Answer:
        booking = await _unchanged(work, booking_id, caller, if_match)
        role = await _price_role(work.session, caller, venue, booking.user_id)
        slot = choose_slot(venue, court, body.starts_at, work.now, role)
        difference = await mutations.reschedule(work, catalogue, booking, slot)
        money = {"amount": difference, "currency": booking.currency}
        shown = represent(booking, venue, court) | {"price_difference": money}
        return Answer(200, orjson.dumps(shown), {"ETag": etag(booking)})

    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST /v1/bookings/{booking_id}/reschedule", body)
    try:
        answer = await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))
    except CourtTaken as lost:
        raise (await outlooks.of(venue, court, lost.slot)).refusal() from lost
    return answer.response()


async def _require_staff(chassis: ChassisOf, caller: Caller, venue_id: UUID, player_id: UUID | None) -> None:
    async with chassis.database.sessions() as session:
        (await rights_of(session, caller)).require_staff_at(venue_id)
        if player_id:
            await must_live(session, player_id)


async def _price_role(session: AsyncSession, caller: Principal, venue: Venue, player_id: UUID) -> Role:
    """Whose prices count. Who books for another, or moves their booking, does not give it the own price."""
    return await role_at(session, caller, venue.id) if player_id == caller.user_id else "player"


async def _unchanged(work: UnitOfWork, booking_id: UUID, caller: Caller, if_match: str | None) -> Booking:
    """The booking, locked, if it is what the client saw."""
    booking = await queries.visible(work.session, booking_id, caller, lock=True)
    if if_match not in (None, "*", etag(booking)):
        raise BookingChanged(
            "The booking has changed since you read it.", booking_status=booking.status, version=booking.version
        )
    return booking
