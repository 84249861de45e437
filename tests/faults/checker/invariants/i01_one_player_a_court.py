"""I1: no two live claims to a court overlap, and no player has more of them than the club allows - in the rows, and at any instant of the
run as the events tell it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from tests.faults.checker.claims import LIVE, WAITED, Claim, claims
from tests.faults.checker.facts import Facts, Row
from tests.faults.checker.verdict import Finding, Violation, violation


def examine(facts: Facts) -> Finding:
    occupancy, rows = facts.table("booking", "court_occupancy"), list(facts.bookings.values())
    live = [row for row in rows if row["status"] in LIVE]
    told = claims(facts.events)
    most = facts.run.rules.max_active_bookings
    return Finding.of(
        len(occupancy) + len(told),
        [
            *_overlapping(occupancy, "overlap"),
            *_overlapping(live, "overlapping bookings"),
            *_without_their_court(live, occupancy),
            *_overlapping_in_life(told),
            *_too_many(told, most),
            *(violation(sample["what"], **_rest(sample)) for each in _live(facts) for sample in each),
        ],
    )


def _live(facts: Facts) -> Iterator[Sequence[Row]]:
    return (sample.violations for sample in facts.samples if sample.invariant == "I1")


def _rest(found: Row) -> dict[str, object]:
    return {"seen": "live", **{name: value for name, value in found.items() if name != "what"}}


def _overlapping(rows: Iterable[Row], what: str) -> Iterator[Violation]:
    by_court: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_court[row["court_id"]].append(row)
    for court, theirs in by_court.items():
        last: Row | None = None
        for row in sorted(theirs, key=lambda one: one["starts_at"]):
            if last is not None and row["starts_at"] < last["ends_at"]:
                yield violation(what, court_id=court, one=last["id"], other=row["id"], at=row["starts_at"])
            last = row if last is None or row["ends_at"] > last["ends_at"] else last


def _without_their_court(live: Sequence[Row], occupancy: Sequence[Row]) -> Iterator[Violation]:
    has = {row["booking_id"]: row for row in occupancy if row["booking_id"]}
    for booking in live:
        row = has.pop(booking["id"], None)
        if row is None:
            yield violation("booking without its court", booking_id=booking["id"], status=booking["status"])
        elif any(row[name] != booking[name] for name in ("court_id", "starts_at", "ends_at")):
            yield violation("booking with another court", booking_id=booking["id"])
    for booking_id in has:
        yield violation("court of a booking that is over", booking_id=booking_id)


def _overlapping_in_life(told: Sequence[Claim]) -> Iterator[Violation]:
    by_court: dict[str, list[Claim]] = defaultdict(list)
    for claim in told:
        by_court[claim.court_id].append(claim)
    for theirs in by_court.values():
        theirs.sort(key=lambda claim: claim.starts_at)
        for number, one in enumerate(theirs):
            for other in theirs[number + 1 :]:
                if other.starts_at >= one.ends_at:
                    break
                if one.booking_id != other.booking_id and _both_lived(one, other) > WAITED:
                    yield violation(
                        "overlap in the course of the run",
                        court_id=one.court_id,
                        one=one.booking_id,
                        other=other.booking_id,
                        at=other.starts_at,
                    )


def _both_lived(one: Claim, other: Claim) -> timedelta:
    return min(one.until, other.until) - max(one.since, other.since)


def _too_many(told: Sequence[Claim], most: int) -> Iterator[Violation]:
    by_user: dict[str, list[Claim]] = defaultdict(list)
    for claim in told:
        by_user[claim.user_id].append(claim)
    for user, theirs in by_user.items():
        count, at = _most_at_once(theirs)
        if count > most:
            yield violation("too many active bookings", user_id=user, count=count, allowed=most, at=at)


def _most_at_once(theirs: Sequence[Claim]) -> tuple[int, datetime]:
    """An end counts `WAITED` early, never before the claim's beginning."""
    steps: list[tuple[datetime, int]] = []
    for claim in theirs:
        steps += [(claim.since, 1), (max(claim.since, claim.until - WAITED), -1)]
    count, highest, at = 0, 0, steps[0][0]
    for instant, change in sorted(steps):
        count += change
        if count > highest:
            highest, at = count, instant
    return highest, at
