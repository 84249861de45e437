from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from services.booking.availability.queries import free_slots
from services.booking.bookings.representation import Money
from services.booking.dependencies import CatalogueOf, ChassisOf
from services.booking.venues.queries import VenueNotFound
from services.chassis import limits, problems

router = APIRouter(
    prefix="/v1/availability",
    tags=["availability"],
    dependencies=[Depends(limits.by_address)],
    responses=problems.responses(problems.TooManyRequests),
)


class SlotOut(BaseModel):
    model_config = ConfigDict(title="Slot")

    starts_at: dt.datetime
    ends_at: dt.datetime
    price: Money


class CourtOut(BaseModel):
    model_config = ConfigDict(title="CourtAvailability")

    court_id: UUID
    name: str
    surface: str
    slot_minutes: int
    slots: list[SlotOut]


class AvailabilityOut(BaseModel):
    """Free slots by court, soonest first. Instants carry the venue's offset."""

    model_config = ConfigDict(title="Availability")

    venue_id: UUID
    venue_name: str
    time_zone: str
    date: dt.date
    courts: list[CourtOut]


@router.get("", response_model=AvailabilityOut, responses=problems.responses(VenueNotFound))
async def get_availability(
    venue_id: UUID,
    date: Annotated[dt.date, Query(description="A local day of the venue", examples=["2026-11-28"])],
    chassis: ChassisOf,
    catalogue: CatalogueOf,
) -> dict[str, Any]:
    """The free slots of a day. Open to everyone: it shows no person."""
    venue = await catalogue.venue(venue_id)
    free = await free_slots(chassis.database, venue, date, chassis.clock.now())
    return {
        "venue_id": venue.id,
        "venue_name": venue.name,
        "time_zone": venue.zone.key,
        "date": date,
        "courts": [
            {
                "court_id": court.id,
                "name": court.name,
                "surface": court.surface,
                "slot_minutes": court.slot_minutes,
                "slots": [
                    {
                        "starts_at": venue.local(slot.starts_at),
                        "ends_at": venue.local(slot.ends_at),
                        "price": {"amount": slot.price_minor, "currency": venue.currency},
                    }
                    for slot in slots
                ],
            }
            for court, slots in free.items()
        ],
    }
