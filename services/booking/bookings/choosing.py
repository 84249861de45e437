"""The slot that somebody asks for: whether the club offers it, and at what price. Whether it is free is the database's to say."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.booking.venues.domain import Court, Slot, Venue
from services.chassis import problems
from services.chassis.auth import Role


class SlotNotOnGrid(problems.Invalid):
    """The court has no slot that starts then: closed, or between two slots."""


class CourtOutOfUse(problems.Conflict):
    """The club keeps this court closed until further notice."""


class SlotInThePast(problems.Invalid):
    """The slot has begun."""


class SlotTooSoon(problems.Invalid):
    """The club wants more notice; `first_bookable_instant` says from when on."""


class SlotBeyondHorizon(problems.Invalid):
    """The club takes bookings up to `last_bookable_day` only."""


def choose_slot(venue: Venue, court: Court, starts_at: datetime, now: datetime, role: Role = "player") -> Slot:
    """The slot that is asked for, at the price of this role, if the club offers it."""
    if not court.active:
        raise CourtOutOfUse(f"{court.name} takes no bookings at present.", court_id=str(court.id))
    if starts_at <= now:
        raise SlotInThePast("This slot has begun. Choose one that starts later.", starts_at=starts_at.isoformat())
    if starts_at < (first := venue.first_bookable_instant(now)):
        raise SlotTooSoon(
            f"{venue.name} takes bookings up to {venue.minimum_notice_minutes} minutes before the start.",
            first_bookable_instant=venue.local(first).isoformat(),
        )
    last = venue.last_bookable_day(now)
    # The first comparison keeps the year 9999 away from the zone's arithmetic.
    if starts_at.date() > last + timedelta(days=1) or venue.local(starts_at).date() > last:
        raise SlotBeyondHorizon(f"The club takes bookings up to {last}.", last_bookable_day=last.isoformat())
    if slot := venue.slot_at(court, starts_at, role):
        return slot
    raise SlotNotOnGrid(
        f"{court.name} has no slot that starts then: its slots last {court.slot_minutes} minutes from the opening on.",
        slots_of_that_day=[
            venue.local(slot.starts_at).isoformat() for slot in venue.slots(court, venue.local(starts_at).date(), role)
        ],
    )
