"""Who had which court, and from when to when in the life of the club: told by `booking.events`, not by any table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.faults.checker.records import Record

LIVE = ("held", "confirmed")
BLOCKED, UNBLOCKED = "slot.blocked.v1", "slot.unblocked.v1"
FOREVER = datetime(9000, 1, 1, tzinfo=UTC)

WAITED = timedelta(seconds=15)
"""How long a request may wait for its turn at most: 5 s for a connection and 10 s for its statement. Its facts bear the time at which it
came, so they may look that much older than those of a request that it waited for."""


@dataclass(frozen=True)
class Claim:
    """`[starts_at, ends_at)` of a court was the booking's for `[since, until)`. A hold that runs out frees its court by itself."""

    booking_id: str
    user_id: str
    court_id: str
    starts_at: datetime
    ends_at: datetime
    since: datetime
    until: datetime = FOREVER
    hold_ends_at: datetime | None = None

    def meets(self, court_id: str, starts_at: datetime, ends_at: datetime) -> bool:
        return self.court_id == court_id and self.starts_at < ends_at and starts_at < self.ends_at


def claims(events: Mapping[str, Mapping[int, Record]]) -> list[Claim]:
    return [claim for versions in events.values() for claim in _of_one(list(versions.values()))]


def blocks(told: Iterable[Record]) -> list[Claim]:
    """Times that the club took for itself, by `court.events`, as claims of nobody."""
    of_one: dict[str, dict[str, Record]] = {}
    for record in told:
        of_one.setdefault(str(record.body.get("blocked_slot_id")), {}).setdefault(record.type, record)
    return [claim for records in of_one.values() for claim in _block(records.get(BLOCKED), records.get(UNBLOCKED))]


def _block(begun: Record | None, ended: Record | None) -> Iterator[Claim]:
    starts_at, ends_at = (begun and begun.instant("starts_at")), (begun and begun.instant("ends_at"))
    if begun and starts_at and ends_at:
        until = FOREVER if ended is None else ended.time
        yield Claim(begun.body["blocked_slot_id"], "", begun.body["court_id"], starts_at, ends_at, begun.time, until)


def _of_one(versions: list[Record]) -> Iterator[Claim]:
    current: Claim | None = None
    for record in versions:
        at = record.time
        if current is not None:
            over = current.hold_ends_at if record.body.get("status") == "expired" else None
            yield replace(current, until=max(current.since, min(at, over or at)))
        current = _claim(record) if record.body.get("status") in LIVE else None
    if current is not None:
        yield current


def _claim(record: Record) -> Claim:
    starts_at, ends_at = record.instant("starts_at"), record.instant("ends_at")
    assert starts_at is not None
    assert ends_at is not None
    return Claim(
        record.key_text,
        record.body["user_id"],
        record.body["court_id"],
        starts_at,
        ends_at,
        since=record.time,
        hold_ends_at=record.instant("hold_expires_at"),
    )
