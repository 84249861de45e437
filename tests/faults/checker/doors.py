"""What hangs on a club's door: the slots of each court-day with their prices, by the rows of the club and a calculation of our own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.faults.checker.facts import Facts, Row
from tests.faults.checker.wall_clock import slots

Grid = Mapping[tuple[datetime, datetime], int]
"""Slots in UTC with their price for a player, in minor units."""


class Doors:
    """Each court-day is calculated once."""

    def __init__(self, facts: Facts) -> None:
        club = facts.databases.get("booking", {})
        self.courts: dict[str, Row] = {row["id"]: row for row in club.get("courts", ())}
        self._zones = {row["id"]: row["time_zone"] for row in club.get("venues", ())}
        self._usual, self._exceptions = (
            _by_venue(club.get("opening_hours", ())),
            _by_venue(club.get("opening_exceptions", ())),
        )
        self._rules = _by_venue(club.get("price_rules", ()))
        self._grids: dict[tuple[str, date], Grid] = {}

    def zone(self, court: Row) -> ZoneInfo:
        return ZoneInfo(self._zones[court["venue_id"]])

    def grid(self, court: Row, day: date) -> Grid:
        """Slots that start in the opening hours of a local day and have a price."""
        if (court["id"], day) not in self._grids:
            self._grids[court["id"], day] = self._grid(court, day)
        return self._grids[court["id"], day]

    def _grid(self, court: Row, day: date) -> Grid:
        zone, found = self._zones[court["venue_id"]], {}
        for opens, closes in self._hours(court["venue_id"], day):
            if opens is None:
                continue
            for starts_at, ends_at in slots(day, opens, closes, court["slot_minutes"], zone):
                price = self._price(court, starts_at.astimezone(ZoneInfo(zone)))
                if price is not None:
                    found[starts_at, ends_at] = price
        return found

    def _hours(self, venue_id: str, day: date) -> list[tuple[Any, Any]]:
        exceptions = [row for row in self._exceptions[venue_id] if row["date"] == day]
        rows = exceptions or [row for row in self._usual[venue_id] if row["weekday"] == day.weekday()]
        return [(row["opens"], row["closes"]) for row in rows]

    def _price(self, court: Row, local: datetime) -> int | None:
        fitting = [rule for rule in self._rules[court["venue_id"]] if _fits(rule, court, local)]
        fitting.sort(key=lambda rule: (rule["priority"], rule["court_id"] is not None, rule["role"] is not None))
        return fitting[-1]["price_minor"] if fitting else None


def _by_venue(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["venue_id"]].append(row)
    return found


def _fits(rule: Row, court: Row, local: datetime) -> bool:
    ends = rule["ends"]
    return (
        rule["court_id"] in (None, court["id"])
        and rule["role"] in (None, "player")
        and local.weekday() in rule["weekdays"]
        and rule["starts"] <= local.time()
        and (ends.hour == ends.minute == 0 or local.time() < ends)
        and (rule["valid_from"] or date.min) <= local.date() <= (rule["valid_until"] or date.max)
    )
