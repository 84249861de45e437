from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.booking.bookings import mutations, queries
from services.booking.bookings.domain import (
    ActiveBookingLimit,
    Booking,
    BookingChanged,
    BookingNotFound,
    CancellationWindowClosed,
    CheckoutNotReady,
    CourtOutOfUse,
    HoldExpired,
    OtherVenue,
    SlotAlreadyTaken,
    SlotBeyondHorizon,
    SlotInThePast,
    SlotNotOnGrid,
    SlotTooSoon,
    TransitionNotPossible,
    choose_slot,
)
from services.booking.bookings.hold import Hold
from services.booking.bookings.listing import BookingFilters, DateNeedsCourt, Listing
from services.booking.bookings.representation import BookingOut, BookingsOut, MovedOut, etag, represent
from services.booking.dependencies import CatalogueOf, ChassisOf, KnownUsersOf
from services.booking.users.domain import EmailBelongsToAnotherUser, StaffOnly, UserErased, UserNotFound
from services.booking.users.queries import must_live
from services.booking.users.rights import rights_of
from services.booking.venues.queries import CourtNotFound, VenueNotFound
from services.chassis import limits, problems
from services.chassis.auth import Caller
from services.chassis.cursors import CursorNotValid
from services.chassis.etags import matches
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, Key, once, replay
from services.chassis.problems import Problem
from services.chassis.unit_of_work import UnitOfWork


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a string: an RFC 3339 instant with an offset")  # noqa: TRY004 - pydantic's protocol
    return value


Rfc3339 = Annotated[AwareDatetime, BeforeValidator(_only_text)]
"""Pydantic alone would take a number for seconds since 1970."""

router = APIRouter(
    prefix="/v1/bookings",
    tags=["bookings"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, UserErased),
)
Documented = dict[int | str, dict[str, Any]]

CHANGES = (BookingNotFound, TransitionNotPossible, CancellationWindowClosed, BookingChanged, IdempotencyKeyReused)
PLACES = (CourtNotFound, CourtOutOfUse, SlotAlreadyTaken, SlotBeyondHorizon, SlotInThePast, SlotNotOnGrid, SlotTooSoon)


ETAG = {"ETag": {"description": "For `If-Match` and `If-None-Match`", "schema": {"type": "string"}}}
LOCATION = {"Location": {"description": "The booking", "schema": {"type": "string"}}}
LINK = {"Link": {"description": '`rel="next"`, unless this is the last page', "schema": {"type": "string"}}}
TAGGED: Documented = {200: {"headers": ETAG}}
TAGGED_201: Documented = {201: {"headers": ETAG | LOCATION}}
LINKED: Documented = {200: {"headers": LINK}}


class HoldIn(BaseModel):
    """Which slot. Its length and its price are the court's, never the client's."""

    model_config = ConfigDict(extra="forbid", title="Hold")

    court_id: UUID
    starts_at: Rfc3339 = Field(description="RFC 3339 with an offset", examples=["2026-11-28T18:30:00+01:00"])
    without_payment: bool = Field(default=False, description="Confirmed at once, for nothing. Staff only.")
    user_id: UUID | None = Field(
        default=None,
        description="The player, whose booking it is and whose limit counts. Staff only; else it is yours.",
    )


class CancelIn(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Cancel")

    reason: str | None = Field(
        default=None, max_length=500, description="Staff tells the player; a player may leave it out."
    )


class RescheduleIn(BaseModel):
    """Where to. The old slot and the player's seat do not count against the new one."""

    model_config = ConfigDict(extra="forbid", title="Reschedule")

    court_id: UUID
    starts_at: Rfc3339 = Field(description="RFC 3339 with an offset", examples=["2026-11-29T18:30:00+01:00"])


IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The ETag that you have: 304 while it is current.")
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The booking's ETag: refused with 412 when it has changed since.")
]


@router.get(
    "",
    response_model=BookingsOut,
    responses=LINKED | problems.responses(CursorNotValid, StaffOnly, DateNeedsCourt, CourtNotFound, VenueNotFound),
)
async def list_bookings(
    filters: Annotated[BookingFilters, Query()],
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    response: Response,
) -> dict[str, object]:
    """Bookings by start: a player's own, or for staff those that the filters select."""
    async with chassis.database.sessions() as session:
        listing = await Listing.of(filters, await rights_of(session, caller), catalogue)
        page, next_cursor = await queries.page(session, listing)
    if next_cursor:
        response.headers["Link"] = listing.link(router.prefix, next_cursor)
    items = [represent(booking, *await catalogue.court(booking.court_id)) for booking in page]
    return {"items": items, "next_cursor": next_cursor}


@router.post(
    "",
    status_code=201,
    response_model=BookingOut,
    responses=TAGGED_201
    | problems.responses(
        *PLACES,
        ActiveBookingLimit,
        StaffOnly,
        EmailBelongsToAnotherUser,
        UserNotFound,
        UserErased,
        IdempotencyKeyReused,
    ),
)
async def hold_slot(
    body: HoldIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    known_users: KnownUsersOf,
    idempotency_key: Key = None,
) -> Response:
    """Hold a free slot until it is paid for, or the hold runs out. With nothing to pay it is confirmed at once."""
    venue, court = await catalogue.court(body.court_id)
    if body.without_payment or body.user_id:
        await _require_staff(chassis, caller, venue.id, player_id=body.user_id)
    now = chassis.clock.now()
    key = IdempotencyKey.of(caller.user_id, idempotency_key, "POST /v1/bookings", body)
    try:
        slot = choose_slot(venue, court, body.starts_at, now, caller.role)
    except Problem:
        # A repeated request gets its answer, also when the slot has begun since, or the court was closed.
        if first := await replay(chassis.database, key):
            return first.response()
        raise
    await known_users.remember(caller)
    free = body.without_payment or slot.price_minor == 0
    booking = Booking.begin(uuid7(), slot, venue, body.user_id or caller.user_id, now, free=free)
    return (await Hold(booking, slot, venue, court, key).place(chassis, catalogue)).response()


@router.get(
    "/{booking_id}",
    response_model=BookingOut,
    responses=TAGGED | {304: {"description": "You have this version"}} | problems.responses(BookingNotFound),
)
async def get_booking(
    booking_id: UUID,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """A booking of your own, or for staff any."""
    async with chassis.database.sessions() as session:
        booking = await queries.visible(session, booking_id, caller)
    if matches(if_none_match, etag(booking)):
        return Response(status_code=304, headers={"ETag": etag(booking)})
    response.headers["ETag"] = etag(booking)
    return represent(booking, *await catalogue.court(booking.court_id))


@router.get(
    "/{booking_id}/checkout",
    status_code=303,
    response_class=RedirectResponse,
    responses=problems.responses(BookingNotFound, HoldExpired, TransitionNotPossible, CheckoutNotReady),
)
async def go_to_checkout(booking_id: UUID, caller: Caller, chassis: ChassisOf) -> RedirectResponse:
    """To the payment page, as long as the slot is held. The page's own link lives longer than the hold: enter it only through here."""
    async with chassis.database.sessions() as session:
        booking = await queries.visible(session, booking_id, caller)
    url = booking.checkout(chassis.clock.now())
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})


@router.post("/{booking_id}/cancel", response_model=BookingOut, responses=TAGGED | problems.responses(*CHANGES))
async def cancel_booking(
    booking_id: UUID,
    body: CancelIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    idempotency_key: Key = None,
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
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> Response:
    """Move a confirmed booking to another slot of the same venue, in one step. What was paid stays; the difference is told."""
    venue, court = await catalogue.court(body.court_id)

    async def change(work: UnitOfWork) -> Answer:
        booking = await _unchanged(work, booking_id, caller, if_match)
        # Who moves another's booking does not give it the own price.
        role = caller.role if booking.user_id == caller.user_id else "player"
        slot = choose_slot(venue, court, body.starts_at, work.now, role)
        difference = await mutations.reschedule(work, catalogue, booking, slot)
        money = {"amount": difference, "currency": booking.currency}
        shown = represent(booking, venue, court) | {"price_difference": money}
        return Answer(200, orjson.dumps(shown), {"ETag": etag(booking)})

    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST /v1/bookings/{booking_id}/reschedule", body)
    return (await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))).response()


async def _require_staff(chassis: ChassisOf, caller: Caller, venue_id: UUID, player_id: UUID | None) -> None:
    async with chassis.database.sessions() as session:
        (await rights_of(session, caller)).require_staff_at(venue_id)
        if player_id:
            await must_live(session, player_id)


async def _unchanged(work: UnitOfWork, booking_id: UUID, caller: Caller, if_match: str | None) -> Booking:
    """The booking, locked, if it is what the client saw."""
    booking = await queries.visible(work.session, booking_id, caller, lock=True)
    if if_match not in (None, "*", etag(booking)):
        raise BookingChanged(
            "The booking has changed since you read it.", booking_status=booking.status, version=booking.version
        )
    return booking
