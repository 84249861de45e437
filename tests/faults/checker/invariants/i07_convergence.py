"""I7: whatever was delivered twice, late or in another order, all ends where the events lead. Each life of a booking is one that the rules
allow, its row is what its last event says, and each copy in another service is what a reading from the first record would make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

from tests.faults.checker.facts import Facts, Row
from tests.faults.checker.invariants.i04_one_effect import kind_of
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

AFTER: Mapping[str, tuple[str, ...]] = {
    "held": ("booking.confirmed.v1", "booking.expired.v1", "booking.cancelled.v1"),
    "confirmed": ("booking.rescheduled.v1", "booking.refund_due.v1", "booking.cancelled.v1", "booking.completed.v1"),
    "cancelled": ("booking.refund_due.v1",),
    "expired": ("booking.confirmed.v1", "booking.refund_due.v1"),
    "completed": ("booking.refund_due.v1",),
}
LEADS_TO = {
    "booking.held.v1": "held",
    "booking.confirmed.v1": "confirmed",
    "booking.rescheduled.v1": "confirmed",
    "booking.cancelled.v1": "cancelled",
    "booking.expired.v1": "expired",
    "booking.completed.v1": "completed",
}
PLAIN = ("status", "court_id", "venue_id", "user_id", "price_minor", "currency", "version")
INSTANTS = ("starts_at", "ends_at", "hold_expires_at")
FROZEN = ("user_id", "venue_id", "price_minor", "currency", "cancellation_window_hours")


def examine(facts: Facts) -> Finding:
    return Finding.of(
        len(facts.events),
        [
            *(found for versions in facts.events.values() for found in _life(list(versions.values()))),
            *_rows(facts),
            *_attempts(facts),
            *_copies_of_bookings(facts),
            *_copies_of_profiles(facts),
            *_blocks(facts),
        ],
    )


def _life(versions: list[Record]) -> Iterator[Violation]:
    first = versions[0]
    if first.type not in ("booking.held.v1", "booking.confirmed.v1"):
        yield violation("life that begins in the middle", booking_id=first.key_text, type=first.type)
    for before, after in pairwise(versions):
        where = {"booking_id": after.key_text, "version": after.version, "type": after.type}
        if after.type not in AFTER.get(str(before.body["status"]), ()):
            yield violation("impossible step", after=before.body["status"], **where)
        if after.body["status"] != LEADS_TO.get(after.type, before.body["status"]):
            yield violation("impossible state", status=after.body["status"], **where)
        if changed := [name for name in FROZEN if before.body[name] != after.body[name]]:
            yield violation("frozen fact changed", fields=changed, **where)
        yield from _in_time(before, after, where)


def _in_time(before: Record, after: Record, where: Mapping[str, Any]) -> Iterator[Violation]:
    starts_at, window = before.instant("starts_at"), timedelta(hours=before.body["cancellation_window_hours"])
    by_player = after.type == "booking.rescheduled.v1" or after.body.get("cancelled_by") == "player"
    if by_player and before.body["status"] == "confirmed" and starts_at and after.time > starts_at - window:
        yield violation("cancelled too late", starts_at=starts_at, at=after.time, **where)
    hold_ends_at = after.instant("hold_expires_at")
    if after.type == "booking.expired.v1" and hold_ends_at and after.time < hold_ends_at:
        yield violation("expired too early", hold_ends_at=hold_ends_at, at=after.time, **where)


def _rows(facts: Facts) -> Iterator[Violation]:
    for booking_id, versions in facts.events.items():
        row, last = facts.bookings.get(booking_id), list(versions.values())[-1]
        if row and row["version"] == last.version and (fields := _differing(row, last)):
            yield violation("row that is not its last event", booking_id=booking_id, fields=fields)


def _differing(row: Row, last: Record) -> list[str]:
    differing = [name for name in PLAIN if row[name] != last.body.get(name)]
    differing += [name for name in INSTANTS if row[name] != last.instant(name)]
    if list(row["refunds_due"] or ()) != list(last.body.get("refunds_due") or ()):
        differing.append("refunds_due")
    return differing


def _attempts(facts: Facts) -> Iterator[Violation]:
    """Payments has one attempt for each booking that cost something, at its price."""
    prices = {(row["booking_id"], row["amount_minor"]) for row in facts.table("payments", "payment_attempts")}
    for booking_id, versions in facts.events.items():
        last = list(versions.values())[-1].body
        if last["price_minor"] and last["status"] != "held" and (booking_id, last["price_minor"]) not in prices:
            yield violation("booking that payments does not know", booking_id=booking_id)


def _copies_of_bookings(facts: Facts) -> Iterator[Violation]:
    copies = {row["booking_id"]: row for row in facts.table("notifications", "bookings")}
    for booking_id, versions in facts.events.items():
        last, copy = list(versions.values())[-1], copies.get(booking_id)
        news = max((version for version, record in versions.items() if kind_of(record)), default=0)
        if last.id in facts.run.fatal_events:
            continue
        if copy is None:
            yield violation("booking that notifications does not know", booking_id=booking_id)
            continue
        want = (last.version, last.body["status"], last.instant("starts_at"), news)
        have = (copy["version"], copy["status"], copy["starts_at"], copy["news_version"])
        if have != want or (copy["told"] or {}).get("version") != last.version:
            yield violation("stale copy", table="notifications.bookings", booking_id=booking_id, have=have, want=want)


def _copies_of_profiles(facts: Facts) -> Iterator[Violation]:
    for service, table in (("payments", "profiles"), ("notifications", "recipients")):
        copies = {row["user_id"]: row for row in facts.table(service, table)}
        for user_id, record in facts.profiles.items():
            copy = copies.get(user_id)
            names = ("email", "name", "locale")
            want = [None, None, None] if record.value is None else [record.body.get(name) for name in names]
            have = [copy[name] for name in names] if copy else ["nothing"]
            if have != want and not (copy is None and record.value is None):
                yield violation("stale copy", table=f"{service}.{table}", user_id=user_id)


def _blocks(facts: Facts) -> Iterator[Violation]:
    """Every minute of a block is its own or a booking's that was let stand."""
    occupancy = facts.table("booking", "court_occupancy")
    for block in facts.table("booking", "blocked_slots"):
        reached = block["starts_at"]
        on_court = (row for row in occupancy if row["court_id"] == block["court_id"])
        for row in sorted(on_court, key=lambda one: one["starts_at"]):
            if row["starts_at"] <= reached < row["ends_at"]:
                reached = row["ends_at"]
        if reached < block["ends_at"]:
            yield violation("block with a gap", blocked_slot_id=block["id"], free_from=reached)
