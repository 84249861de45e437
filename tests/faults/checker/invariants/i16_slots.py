"""I16: what can be booked is what the club's door says, by a calculation of our own: the grid of wall time over every change of the clocks,
its prices, and of these what nobody has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.faults.checker.facts import Facts, Row
from tests.faults.checker.verdict import Finding, Violation, violation
from tests.faults.checker.wall_clock import slots

Grid = Mapping[tuple[datetime, datetime], int]
"""Slots in UTC with their price for a player, in minor units."""


def examine(facts: Facts) -> Finding:
    bookings = [row for row in facts.bookings.values() if row["court_id"] in _courts(facts)]
    answers = [(answer, None) for answer in facts.availability]
    seen = [
        call for call in facts.history if call.op == "availability" and call.is_ok and isinstance(call.answer, dict)
    ]
    shown = [(call.answer, call.arguments) for call in seen if "days" in call.answer]
    return Finding.of(
        len(bookings) + len(answers) + len(shown),
        [
            *(each for row in bookings for each in _off_the_grid(facts, row)),
            *(each for answer, _ in answers for each in _of_answer(facts, answer, whole=True)),
            *(each for answer, _ in shown for each in _of_answer(facts, answer, whole=False)),
        ],
    )


def _courts(facts: Facts) -> dict[str, Row]:
    return {row["id"]: row for row in facts.table("booking", "courts")}


def _venue(facts: Facts, venue_id: str) -> Row:
    return next(row for row in facts.table("booking", "venues") if row["id"] == venue_id)


def grid(facts: Facts, court: Row, day: date) -> Grid:
    """Slots that start in the opening hours of a local day and have a price."""
    zone = _venue(facts, court["venue_id"])["time_zone"]
    found = {}
    for opens, closes in _hours(facts, court["venue_id"], day):
        if opens is None:
            continue
        for starts_at, ends_at in slots(day, opens, closes, court["slot_minutes"], zone):
            price = _price(facts, court, starts_at.astimezone(ZoneInfo(zone)))
            if price is not None:
                found[starts_at, ends_at] = price
    return found


def _hours(facts: Facts, venue_id: str, day: date) -> list[tuple[Any, Any]]:
    exceptions = [
        row
        for row in facts.table("booking", "opening_exceptions")
        if row["venue_id"] == venue_id and row["date"] == day
    ]
    usual = facts.table("booking", "opening_hours")
    rows = exceptions or [row for row in usual if row["venue_id"] == venue_id and row["weekday"] == day.weekday()]
    return [(row["opens"], row["closes"]) for row in rows]


def _price(facts: Facts, court: Row, local: datetime) -> int | None:
    fitting = [rule for rule in facts.table("booking", "price_rules") if _fits(rule, court, local)]
    fitting.sort(key=lambda rule: (rule["priority"], rule["court_id"] is not None, rule["role"] is not None))
    return fitting[-1]["price_minor"] if fitting else None


def _fits(rule: Row, court: Row, local: datetime) -> bool:
    ends = rule["ends"]
    return (
        rule["venue_id"] == court["venue_id"]
        and rule["court_id"] in (None, court["id"])
        and rule["role"] in (None, "player")
        and local.weekday() in rule["weekdays"]
        and rule["starts"] <= local.time()
        and (ends.hour == ends.minute == 0 or local.time() < ends)
        and (rule["valid_from"] or date.min) <= local.date() <= (rule["valid_until"] or date.max)
    )


def _off_the_grid(facts: Facts, row: Row) -> Iterator[Violation]:
    """A slot past midnight is of the day before. Staff may waive a price, and a move keeps the one that was paid."""
    court = _courts(facts)[row["court_id"]]
    day = row["starts_at"].astimezone(ZoneInfo(_venue(facts, court["venue_id"])["time_zone"])).date()
    both = {**grid(facts, court, day - timedelta(days=1)), **grid(facts, court, day)}
    span = (row["starts_at"], row["ends_at"])
    if span not in both:
        yield violation("booking off the grid", booking_id=row["id"], starts_at=row["starts_at"])
    elif not _has_moved(facts, row) and row["price_minor"] not in (both[span], 0) and _is_a_player(facts, row):
        yield violation("other price", booking_id=row["id"], price_minor=row["price_minor"], listed_minor=both[span])


def _has_moved(facts: Facts, row: Row) -> bool:
    return any(record.type == "booking.rescheduled.v1" for record in facts.events.get(row["id"], {}).values())


def _is_a_player(facts: Facts, row: Row) -> bool:
    """Others may have prices of their own."""
    return all(user["role"] == "player" for user in facts.table("booking", "users") if user["id"] == row["user_id"])


def _of_answer(facts: Facts, answer: Row, *, whole: bool) -> Iterator[Violation]:
    for told in answer["days"]:
        for court in told["courts"]:
            day = date.fromisoformat(told["date"])
            yield from _of_court_day(facts, _courts(facts)[court["court_id"]], day, court["slots"], whole=whole)


def _of_court_day(facts: Facts, court: Row, day: date, told: list[Row], *, whole: bool) -> Iterator[Violation]:
    """`whole` answers list every slot of the grid, and were given when all was at rest: then what is free can be told too."""
    where = {"court_id": court["id"], "day": day}
    known = grid(facts, court, day)
    shown = {(_utc(one["starts_at"]), _utc(one["ends_at"])): one for one in told if one["reason"] != "closed"}
    for span, one in shown.items():
        if known.get(span) != one["price"]["amount"]:
            yield violation("slot that is not on the grid", starts_at=span[0], price=one["price"]["amount"], **where)
    if whole and court["active"]:
        for span in known.keys() - shown.keys():
            yield violation("slot is missing", starts_at=span[0], **where)
        yield from _free(facts, court, shown, where)


def _free(facts: Facts, court: Row, shown: Mapping[tuple[datetime, datetime], Row], where: Row) -> Iterator[Violation]:
    taken = [row for row in facts.table("booking", "court_occupancy") if row["court_id"] == court["id"]]
    overdue = {row["id"] for row in facts.bookings.values() if row["status"] == "held"}
    for span, one in shown.items():
        on_it = [row for row in taken if row["starts_at"] < span[1] and span[0] < row["ends_at"]]
        if one["reason"] is None and any(row["booking_id"] not in overdue for row in on_it):
            yield violation("taken slot is offered", starts_at=span[0], **where)
        if one["reason"] in ("booked", "blocked") and not on_it:
            yield violation("free slot is not offered", starts_at=span[0], **where)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text)
