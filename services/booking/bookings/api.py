from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import RedirectResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from services.booking.bookings import queries
from services.booking.bookings.domain import Booking, choose_slot
from services.booking.bookings.hold import Hold
from services.booking.bookings.representation import BookingOut, represent
from services.booking.dependencies import CatalogueOf, ChassisOf, KnownUsersOf
from services.chassis.auth import Caller
from services.chassis.idempotency import IdempotencyKey, Replay

router = APIRouter(prefix="/v1/bookings", tags=["bookings"])


class HoldIn(BaseModel):
    """Which slot. Its length and its price are the court's, never the client's."""

    model_config = ConfigDict(extra="forbid", title="Hold")

    court_id: UUID
    starts_at: AwareDatetime = Field(description="RFC 3339 with an offset", examples=["2026-11-28T18:30:00+01:00"])


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Send the same key to repeat a request safely: the first answer comes again for 24 hours.",
    ),
]


@router.post("", status_code=201, response_model=BookingOut)
async def hold_slot(
    body: HoldIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    known_users: KnownUsersOf,
    idempotency_key: Key = None,
) -> Response:
    """Hold a free slot until it is paid for, or the hold runs out."""
    venue, court = await catalogue.court(body.court_id)
    now = chassis.clock.now()
    key = IdempotencyKey.of(caller.user_id, idempotency_key, "POST /v1/bookings", body)
    slot = choose_slot(venue, court, body.starts_at, now)
    await known_users.remember(caller)
    booking = Booking.hold(uuid7(), slot, venue, caller.user_id, now)
    answer = await Hold(booking, slot, venue, court, key).place(chassis, catalogue)
    if isinstance(answer, Replay):
        return answer.response()
    headers = {"Location": f"/v1/bookings/{booking.id}", "ETag": f'"{booking.version}"'}
    return Response(answer, 201, headers, media_type="application/json")


@router.get("/{booking_id}", response_model=BookingOut)
async def get_booking(
    booking_id: UUID, caller: Caller, chassis: ChassisOf, catalogue: CatalogueOf, response: Response
) -> dict[str, object]:
    async with chassis.database.sessions() as session:
        booking = await queries.own(session, booking_id, caller.user_id)
    response.headers["ETag"] = f'"{booking.version}"'
    return represent(booking, *await catalogue.court(booking.court_id))


@router.get("/{booking_id}/checkout", status_code=303, response_class=RedirectResponse)
async def go_to_checkout(booking_id: UUID, caller: Caller, chassis: ChassisOf) -> RedirectResponse:
    """To the payment page, as long as the slot is held. The page's own link lives longer than the hold: enter it only through here."""
    async with chassis.database.sessions() as session:
        booking = await queries.own(session, booking_id, caller.user_id)
    url = booking.checkout(chassis.clock.now())
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})
