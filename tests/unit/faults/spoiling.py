"""A good day at the club, and the list of what may go wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.unit.faults.stories import COURT, FIRST_SLOT, PRICE, SLOT, VENUE, Club, name

Spoil = Callable[[Club], object]
SPOILS: list[tuple[str, str, Spoil]] = []


def spoiling(invariant: str, what: str) -> Callable[[Spoil], Spoil]:
    """What the decorated function does to a good day is this violation of this invariant."""

    def listed(spoil: Spoil) -> Spoil:
        SPOILS.append((invariant, what, spoil))
        return spoil

    return listed


def a_good_day() -> Club:
    """One of everything: paid, called off in time, run out, moved, given up by the club, and poison that died."""
    club = Club()
    club.pay(club.hold("Ana", slot=0))
    called_off = club.hold("Ben", slot=1)
    club.pay(called_off)
    club.cancel(called_off)
    moved = club.hold("Cleo", slot=2)
    club.pay(moved)
    club.move(moved, slot=3)
    closed = club.hold("Dan", slot=4)
    club.pay(closed)
    club.cancel(closed, by="club")
    club.refused("hold", 409, "slot-already-taken", user=name("Fay"), key="in vain", **slot_of(0))
    club.expire(club.hold("Eva", slot=5))
    club.poison("booking.events")
    club.poison("payment.events")
    return club


def slot_of(number: int) -> dict[str, str]:
    starts_at = FIRST_SLOT + number * SLOT
    return {"court_id": COURT, "starts_at": starts_at.isoformat(), "ends_at": (starts_at + SLOT).isoformat()}


def anas(club: Club) -> dict[str, Any]:
    return club.row("booking", "bookings", user_id=name("Ana"))


def rename(club: Club, kind: str, to: str) -> None:
    record = club.record(kind)
    headers = tuple((each, to.encode() if each == "ce_type" else value) for each, value in record.headers)
    club.records[club.records.index(record)] = replace(record, headers=headers)


def day_as_shown(club: Club) -> list[dict[str, Any]]:
    """The answer about the first day, as it should be."""
    taken = [row["starts_at"] for row in club.tables["booking"]["court_occupancy"]]
    slots = [
        {
            "starts_at": (FIRST_SLOT + number * SLOT).isoformat(),
            "ends_at": (FIRST_SLOT + (number + 1) * SLOT).isoformat(),
            "price": {"amount": PRICE, "currency": "EUR"},
            "reason": "booked" if FIRST_SLOT + number * SLOT in taken else None,
        }
        for number in range(10)
    ]
    court = {"court_id": COURT, "slots": slots}
    club.availability.append({"days": [{"date": "2026-11-27", "courts": [court]}]})
    return slots


def unsent(club: Club, kind: str, state: str) -> None:
    mail = club.row("notifications", "emails", kind=kind)
    mail["state"] = state
    club.mails[:] = [one for one in club.mails if one["idempotency_key"] != mail["id"]]


def unmark(club: Club, kind: str) -> str:
    event_id = club.record(kind).id
    for service in ("booking", "payments", "notifications"):
        rows = club.tables[service]["inbox"]
        rows[:] = [row for row in rows if row["event_id"] != event_id]
    return event_id


def block_a_slot(club: Club) -> None:
    """The rows alone."""
    span = {"starts_at": FIRST_SLOT + 6 * SLOT, "ends_at": FIRST_SLOT + 7 * SLOT}
    block = {"id": "block-1", "court_id": COURT, "venue_id": VENUE, "created_by": name("staff")}
    club.tables["booking"]["blocked_slots"].append(block | span)
    claim = {"id": -1, "court_id": COURT, "booking_id": None, "blocked_slot_id": "block-1"}
    club.tables["booking"]["court_occupancy"].append(claim | span)
