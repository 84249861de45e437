"""When a recurring block stands: an RFC 5545 rule over the local wall time of a venue. Pure.

An occurrence is from one wall time to another, as it would be written on the court's door. Where the clocks make that doubtful, the
block takes all that it may mean: a start or end that they skip is the moment of the jump, a start that they repeat is the first of
the two, an end the second. An occurrence that lies wholly in the skipped hour is no time at all, and is left out.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from services.chassis import problems

OCCURRENCES_MAX = 366
"""A day's block for a leap year. Each one is a row and an event for each court."""
REACH = timedelta(days=731)
"""How far after its first occurrence a rule may go: two years."""

FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
PARTS = frozenset(
    {
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "WKST",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
    }
)
"""Those of RFC 5545, section 3.3.10, that choose days. The time of day is that of the first block."""

_VALUE = re.compile(r"[A-Z0-9,+-]+")
_COUNTING = re.compile(r"[1-9]\d{0,3}")

CALENDAR_CYCLE_YEARS = 400
"""After so many years the Gregorian calendar is the same, weekdays too."""
LAST_CYCLES = 19
"""dateutil looks for occurrences up to the year 9999, which takes seconds for a rule that never has one. Moved 7,600 years on, it gives
up a twentieth of the way, and finds the same days."""


class RuleNotValid(problems.Invalid):
    """Not an RFC 5545 rule of days."""


class RuleTooLong(problems.Invalid):
    """It never ends, or goes on for longer than the club plans."""


def occurrences(
    starts_at: datetime, ends_at: datetime, rule: str | None, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """The intervals of a block, in UTC. Without a rule there is one; with a rule there are those that it gives, from the first's day on."""
    if rule is None:
        return [(starts_at.astimezone(UTC), ends_at.astimezone(UTC))]
    first, end = _wall(starts_at, zone), _wall(ends_at, zone)
    if end <= first:
        raise RuleNotValid("A block that recurs must end after its start on the club's own clock too.")
    intervals = [
        (_instants(wall, zone)[0], _instants(wall + (end - first), zone)[1]) for wall in _bounded(rule, first, zone)
    ]
    found = [(since, until) for since, until in intervals if since < until]
    if not found:
        raise RuleNotValid("This rule has no occurrence within two years.", rrule=rule)
    return found


def _bounded(rule: str, first: datetime, zone: ZoneInfo) -> list[datetime]:
    found: list[datetime] = []
    for wall in _walls(rule, first, zone):
        if len(found) == OCCURRENCES_MAX or wall > first + REACH:
            raise RuleTooLong(
                f"A rule has at most {OCCURRENCES_MAX} occurrences, within two years. Give it a COUNT or an UNTIL.",
                occurrences_max=OCCURRENCES_MAX,
                latest=(first + REACH).isoformat(),
            )
        found.append(wall)
    return found


def _walls(rule: str, first: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The wall times at which occurrences start, without end if the rule has none."""
    parts = _parts(rule)
    until = _until(parts.pop("UNTIL", None), zone)
    cycles = LAST_CYCLES * CALENDAR_CYCLE_YEARS
    try:
        days = rrulestr(";".join("=".join(part) for part in parts.items()), dtstart=_years_on(first, cycles))
    except (ValueError, TypeError, IndexError) as error:
        raise RuleNotValid("This is not a recurrence rule of RFC 5545.", rrule=rule) from error
    for later in days:
        wall = _years_on(later, -cycles)
        if until and wall > until:
            return
        yield wall


def _parts(rule: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in rule.removeprefix("RRULE:").upper().split(";")]
    parts = {name: value for name, _, value in pairs}
    if (
        not all(map(_VALUE.fullmatch, parts.values()))
        or len(parts) < len(pairs)
        or not parts.keys() <= PARTS
        or parts.get("FREQ") not in FREQUENCIES
    ):
        raise RuleNotValid(
            "A rule chooses days: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY, and the time of day is the block's own.",
            rrule=rule,
            parts=sorted(PARTS),
        )
    if {"COUNT", "UNTIL"} <= parts.keys():
        raise RuleNotValid("A rule has COUNT or UNTIL, not both.", rrule=rule)
    if not all(_COUNTING.fullmatch(parts.get(name, "1")) for name in ("COUNT", "INTERVAL")):
        raise RuleNotValid("COUNT and INTERVAL are at least 1, and below 10,000.", rrule=rule)
    return parts


def _until(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The last wall time that counts. A date includes its whole day; `Z` is UTC, without it the time is the venue's."""
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{8}", text):
            return datetime.strptime(text, "%Y%m%d").replace(hour=23, minute=59, second=59)  # noqa: DTZ007 - wall time
        if text.endswith("Z"):
            return _wall(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), zone)
        return datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - wall time
    except (ValueError, OverflowError) as error:
        raise RuleNotValid("UNTIL is a date, or a date with a time: 20271231 or 20271231T220000Z.") from error


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _years_on(wall: datetime, years: int) -> datetime:
    return wall.replace(year=wall.year + years)


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the last instant at which the club's clock shows this; the moment of the jump, twice, if it never does."""
    early, late = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if _wall(early, zone) == wall:
        return early, late
    seconds = range(int((late - early).total_seconds()) + 1)
    jump = early + timedelta(
        seconds=bisect(seconds, wall, key=lambda after: _wall(early + timedelta(seconds=after), zone))
    )
    return jump, jump
