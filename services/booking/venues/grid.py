"""The slots of one day's opening hours, in local wall time, over every change of the clocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def grid(
    day: date, opens: time, closes: time, slot_minutes: int, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """Slots as UTC instants `[starts_at, ends_at)`, in order. `closes` at or before `opens` is on the next day.

    The grid is wall time, since that is what hangs on the court's door: `opens`, and every `slot_minutes` on the clock after it.
    A start that the clocks skip is not there; one that they repeat is there twice, told apart by its offset. A slot lasts its
    minutes in real time and lies within the hours. Of two starts nearer to each other than a slot is long, the earlier has its slot.

    The hours are covered maximally: no start of the grid is left whose slot would fit into a gap, and no other choice of starts
    has more slots. On an ordinary day that is back to back. Where the clocks change, what remains is shorter than a slot, or no
    start of the grid lies in it. With the usual hour forward (2:00 is 3:00), 60 minutes lose the slot that is skipped and leave no
    gap; of 90 minutes from midnight, 1:30 lasts until 4:00 and the grid goes on at 4:30. With the hour back (3:00 is 2:00 again),
    60 minutes gain one, and of 90 minutes 1:30 ends at the second 2:00 and the grid goes on at 3:00: an hour stays empty.
    """
    length = timedelta(minutes=slot_minutes)
    opening, closing = hours_on(day, opens, closes)
    closes_at = first_instant(closing, zone)
    free_from = None
    for starts_at in sorted(_starts(opening, closing, length, zone)):
        if (free_from is None or free_from <= starts_at) and starts_at + length <= closes_at:
            free_from = starts_at + length
            yield starts_at, free_from


def hours_on(day: date, opens: time, closes: time) -> tuple[datetime, datetime]:
    """From when to when, on the clock of the wall."""
    return datetime.combine(day, opens), datetime.combine(day + timedelta(days=closes <= opens), closes)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock on the wall first shows this time or a later one: of two instants the earlier, and for a time that the clocks
    skip the end of the gap. (RFC 5545 would go past the gap by as much as the time lies in it; then 2:30 could come after 3:00.)
    """
    found = _instants(wall, zone)
    return min(found) if found else _end_of_gap(wall, zone)


def _starts(wall: datetime, until: datetime, step: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    while wall < until:
        yield from _instants(wall, zone)
        wall += step


def _instants(wall: datetime, zone: ZoneInfo) -> set[datetime]:
    """No instant for a wall time that the clocks skip, two for one that they repeat."""
    return {instant for instant in _readings(wall, zone) if _clock(instant, zone) == wall}


def _readings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """By the offset before a change of the clocks and by the one after it; both are the same where there is none."""
    return [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Somewhere between the two readings, where the clock jumps past `wall`."""
    late, early = _readings(wall, zone)
    seconds = range(int((late - early).total_seconds()) + 1)
    return early + timedelta(
        seconds=bisect_left(seconds, wall, key=lambda s: _clock(early + timedelta(seconds=s), zone))
    )


def _clock(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)
