"""I16: what can be booked is what the club's door says, by a calculation of our own: the grid of wall time over every change of the clocks,
its prices, and of these what nobody has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from tests.faults.checker.doors import Doors
from tests.faults.checker.facts import Facts, Row
from tests.faults.checker.verdict import Finding, Violation, violation


def examine(facts: Facts) -> Finding:
    doors, taken = Doors(facts), _by_court(facts.table("booking", "court_occupancy"))
    bookings = [row for row in facts.bookings.values() if row["court_id"] in doors.courts]
    seen = [call.answer for call in facts.history if call.op == "availability" and call.is_ok]
    seen = [answer for answer in seen if isinstance(answer, dict) and "days" in answer]
    held = {row["id"] for row in bookings if row["status"] == "held"}
    return Finding.of(
        len(bookings) + len(facts.availability) + len(seen),
        [
            *_off_the_grid(facts, doors, bookings),
            *(each for answer in [*facts.availability, *seen] for each in _not_on_the_door(doors, answer)),
            *(each for answer in facts.availability for each in _at_rest(doors, answer, taken, held)),
        ],
    )


def _by_court(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["court_id"]].append(row)
    return found


def _off_the_grid(facts: Facts, doors: Doors, bookings: Sequence[Row]) -> Iterator[Violation]:
    """A slot past midnight is of the day before. Staff may waive a price, and a move keeps the one that was paid."""
    privileged = {user["id"] for user in facts.table("booking", "users") if user["role"] != "player"}
    for row in bookings:
        court = doors.courts[row["court_id"]]
        day = row["starts_at"].astimezone(doors.zone(court)).date()
        both = {**doors.grid(court, day - timedelta(days=1)), **doors.grid(court, day)}
        listed = both.get((row["starts_at"], row["ends_at"]))
        if listed is None:
            yield violation("booking off the grid", booking_id=row["id"], starts_at=row["starts_at"])
        elif row["price_minor"] not in (listed, 0) and row["user_id"] not in privileged and not _has_moved(facts, row):
            yield violation("other price", booking_id=row["id"], price_minor=row["price_minor"], listed_minor=listed)


def _has_moved(facts: Facts, row: Row) -> bool:
    return any(record.type == "booking.rescheduled.v1" for record in facts.events.get(row["id"], {}).values())


def _court_days(doors: Doors, answer: Row) -> Iterator[tuple[Row, date, dict[tuple[datetime, datetime], Row]]]:
    """The slots as they are shown; those that an exception took away are on no door."""
    for told in answer["days"]:
        for court in told["courts"]:
            slots = (slot for slot in court["slots"] if slot["reason"] != "closed")
            shown = {_span(slot): slot for slot in slots}
            yield doors.courts[court["court_id"]], date.fromisoformat(told["date"]), shown


def _not_on_the_door(doors: Doors, answer: Row) -> Iterator[Violation]:
    for court, day, shown in _court_days(doors, answer):
        known = doors.grid(court, day)
        for span, slot in shown.items():
            if known.get(span) != slot["price"]["amount"]:
                price = slot["price"]["amount"]
                yield violation("slot that is not on the grid", court_id=court["id"], starts_at=span[0], price=price)


def _at_rest(doors: Doors, answer: Row, taken: Mapping[str, Sequence[Row]], held: set[str]) -> Iterator[Violation]:
    """Of an answer that lists every slot and was given when nothing moved any more. A hold may be over, and its slot be offered."""
    for court, day, shown in _court_days(doors, answer):
        if not court["active"]:
            continue
        where = {"court_id": court["id"], "day": day}
        for span in doors.grid(court, day).keys() - shown.keys():
            yield violation("slot is missing", starts_at=span[0], **where)
        for span, slot in shown.items():
            on_it = [
                row for row in taken.get(court["id"], ()) if row["starts_at"] < span[1] and span[0] < row["ends_at"]
            ]
            if slot["reason"] is None and any(row["booking_id"] not in held for row in on_it):
                yield violation("taken slot is offered", starts_at=span[0], **where)
            if slot["reason"] in ("booked", "blocked") and not on_it:
                yield violation("free slot is not offered", starts_at=span[0], **where)


def _span(slot: Row) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(slot["starts_at"]), datetime.fromisoformat(slot["ends_at"])
