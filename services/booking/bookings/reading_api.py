"""What there is to see of bookings: lists, one of them, and the way to its payment page."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import RedirectResponse

from services.booking.bookings import queries
from services.booking.bookings.domain import CheckoutNotReady, HoldExpired
from services.booking.bookings.life_cycle import TransitionNotPossible
from services.booking.bookings.listing import BookingFilters, DateNeedsCourt, Listing
from services.booking.bookings.queries import BookingNotFound
from services.booking.bookings.representation import BookingOut, BookingsOut, etag, represent
from services.booking.dependencies import CatalogueOf, ChassisOf
from services.booking.users.domain import StaffOnly, UserErased
from services.booking.users.rights import rights_of
from services.booking.venues.queries import CourtNotFound, VenueNotFound
from services.chassis import cursors, limits, problems
from services.chassis.auth import Caller
from services.chassis.cursors import LINKED, CursorNotValid
from services.chassis.etags import TAGGED, IfNoneMatch, matches

router = APIRouter(
    prefix="/v1/bookings",
    tags=["bookings"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, UserErased),
)


@router.get(
    "",
    response_model=BookingsOut,
    responses=LINKED
    | problems.responses(CursorNotValid, StaffOnly, UserErased, DateNeedsCourt, CourtNotFound, VenueNotFound),
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
        response.headers["Link"] = cursors.link(router.prefix, filters, next_cursor)
    items = [represent(booking, *await catalogue.court(booking.court_id)) for booking in page]
    return {"items": items, "next_cursor": next_cursor}


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
