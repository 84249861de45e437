"""Blocks as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.booking.blocked_slots.domain import BlockedSlot, OverBookings, is_refused
from services.booking.bookings.domain import Booking
from services.booking.venues.domain import Venue


class BlockIn(BaseModel):
    """The first interval, and with `rrule` those that follow it at the same local time of the venue."""

    model_config = ConfigDict(extra="forbid", title="Block")

    court_ids: list[UUID] = Field(min_length=1, max_length=100)
    starts_at: AwareDatetime = Field(description="RFC 3339 with an offset", examples=["2026-11-30T09:00:00+01:00"])
    ends_at: AwareDatetime = Field(examples=["2026-11-30T12:00:00+01:00"])
    rrule: str | None = Field(
        default=None,
        max_length=500,
        description="An RFC 5545 rule of days, with COUNT or UNTIL: at most 366 occurrences within two years.",
        examples=["FREQ=WEEKLY;BYDAY=MO;COUNT=10"],
    )
    reason: str = Field(min_length=1, max_length=500, examples=["Padel school"])
    over_bookings: OverBookings = Field(
        default="refuse",
        description="Bookings in the way: refuse the block, cancel them with the reason, or keep them inside it.",
    )


class BlockedSlotOut(BaseModel):
    model_config = ConfigDict(title="BlockedSlot")

    id: UUID | None = Field(description="None in a dry run.")
    series_id: UUID | None
    venue_id: UUID
    court_id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str


class InTheWayOut(BaseModel):
    model_config = ConfigDict(title="BookingInTheWay")

    id: UUID
    court_id: UUID
    starts_at: datetime
    ends_at: datetime


class BlockOut(BaseModel):
    """`bookings` were in the way; `outcome` says what became of the request, or would become of it."""

    model_config = ConfigDict(title="Blocked")

    dry_run: bool
    outcome: Literal["blocked", "refused"]
    over_bookings: OverBookings
    series_id: UUID | None
    blocked_slots: list[BlockedSlotOut]
    bookings: list[InTheWayOut]


class BlockedSlotsPage(BaseModel):
    blocked_slots: list[BlockedSlotOut]
    next_cursor: str | None = Field(description="None on the last page.")


class UnblockedOut(BaseModel):
    model_config = ConfigDict(title="Unblocked")

    unblocked: int = Field(description="How many blocks were deleted.")


def represent(
    venue: Venue, blocks: Sequence[BlockedSlot], met: Sequence[Booking], over: OverBookings, *, dry_run: bool
) -> dict[str, Any]:
    shown = [block_out(venue, block) for block in blocks]
    return {
        "dry_run": dry_run,
        "outcome": "refused" if is_refused(over, len(met)) else "blocked",
        "over_bookings": over,
        "series_id": None if dry_run else str(blocks[0].series_id),
        "blocked_slots": [block | {"id": None, "series_id": None} for block in shown] if dry_run else shown,
        "bookings": [in_the_way_out(venue, booking) for booking in met],
    }


def block_out(venue: Venue, block: BlockedSlot) -> dict[str, str]:
    return {
        "id": str(block.id),
        "series_id": str(block.series_id),
        "venue_id": str(block.venue_id),
        "court_id": str(block.span.court_id),
        "starts_at": venue.local(block.span.starts_at).isoformat(),
        "ends_at": venue.local(block.span.ends_at).isoformat(),
        "reason": block.reason,
    }


def in_the_way_out(venue: Venue, booking: Booking) -> dict[str, str]:
    """Where and when, and no person."""
    return {
        "id": str(booking.id),
        "court_id": str(booking.court_id),
        "starts_at": venue.local(booking.starts_at).isoformat(),
        "ends_at": venue.local(booking.ends_at).isoformat(),
    }
