"""I2: what a client was answered is what the service tells everyone, every change has somebody who asked for it, and a refusal left
nothing behind. Where the outcome is not known, either is right, but never a half.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.faults.checker.facts import Facts
from tests.faults.checker.history import Call
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

SHOWING = ("hold", "get", "cancel", "reschedule")
"""Operations that answer with one booking."""
SAME = {"status": "status", "court_id": "court_id", "user_id": "user_id", "venue_id": "venue_id"}
INSTANTS = ("starts_at", "ends_at", "hold_expires_at")
ASKED_FOR = {"booking.cancelled.v1": "cancel", "booking.rescheduled.v1": "reschedule"}


def examine(facts: Facts) -> Finding:
    shown = [call for call in facts.history if call.is_ok and call.op in SHOWING and _shows_a_booking(call)]
    return Finding.of(
        len(shown) + len(facts.events),
        [
            *(found for call in shown for found in _untrue(facts, call)),
            *_unasked_bookings(facts),
            *_unasked_changes(facts),
            *_traces_of_refusals(facts),
            *_untold_blocks(facts),
        ],
    )


def _shows_a_booking(call: Call) -> bool:
    return isinstance(call.answer, dict) and {"id", "version", "status"} <= call.answer.keys()


def _untrue(facts: Facts, call: Call) -> Iterator[Violation]:
    answer: Mapping[str, Any] = call.answer
    where = {"booking_id": answer["id"], "version": answer["version"], **call.shown}
    row = facts.bookings.get(answer["id"])
    if row is None:
        yield violation("lost-write", **where)
        return
    if row["version"] < answer["version"]:
        yield violation("lost-write", in_database=row["version"], **where)
    record = facts.events.get(answer["id"], {}).get(answer["version"])
    if record is not None and (fields := _differing(answer, record)):
        yield violation("untrue answer", fields=fields, **where)


def _differing(answer: Mapping[str, Any], record: Record) -> list[str]:
    body = record.body
    differing = [name for name in SAME if answer.get(name) != body.get(name)]
    differing += [name for name in INSTANTS if _instant(answer.get(name)) != record.instant(name)]
    price = answer.get("price") or {}
    if (price.get("amount"), price.get("currency")) != (body.get("price_minor"), body.get("currency")):
        differing.append("price")
    return differing


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _unasked_bookings(facts: Facts) -> Iterator[Violation]:
    """Of players in the history. A hold whose outcome nobody knows may have made one; so may staff, who book for others."""
    answered = {
        call.answer["id"] for call in facts.history if call.op == "hold" and call.is_ok and _shows_a_booking(call)
    }
    perhaps = {_slot(call) for call in facts.history if call.op == "hold" and call.may_be_done and not call.is_ok}
    for booking_id, versions in facts.events.items():
        first = next(iter(versions.values())).body
        if booking_id in answered or first["user_id"] not in facts.players:
            continue
        if (first["user_id"], first["court_id"], _instant(first["starts_at"])) not in perhaps:
            yield violation("booking that nobody asked for", booking_id=booking_id, user_id=first["user_id"])


def _slot(call: Call) -> tuple[str | None, Any, datetime | None]:
    player = call.arguments.get("user_id") or call.user
    return player, call.arguments.get("court_id"), _instant(call.arguments.get("starts_at"))


def _unasked_changes(facts: Facts) -> Iterator[Violation]:
    """More moves, or more cancellations by players, than anybody asked for. Each key counts once, however often it was sent."""
    honest = (call for call in facts.history if call.may_be_done and call.user not in facts.run.hostile_users)
    asked = Counter((op, booking) for op, booking, _ in set(map(_change, honest)))
    for booking_id, versions in facts.events.items():
        kinds = Counter(record.type for record in versions.values() if _is_a_players(record))
        for kind, count in kinds.items():
            op = ASKED_FOR[kind]
            if versions[min(versions)].body["user_id"] in facts.players and count > asked[op, booking_id]:
                yield violation("change that nobody asked for", booking_id=booking_id, type=kind)


def _change(call: Call) -> tuple[str, str | None, object]:
    return call.op, call.arguments.get("booking_id"), call.key or id(call)


def _is_a_players(record: Record) -> bool:
    return record.type in ASKED_FOR and record.body.get("cancelled_by") != "club"


def _traces_of_refusals(facts: Facts) -> Iterator[Violation]:
    """A key that was never answered but with refusals is kept nowhere."""
    kept = {(row["user_id"], row["key"]) for name in facts.databases for row in facts.table(name, "idempotency_keys")}
    mine = [call for call in facts.history if call.key]
    perhaps = {(call.user, call.key) for call in mine if call.may_be_done}
    refused = {(call.user, call.key): call for call in mine if call.is_refused}
    for key in (refused.keys() - perhaps) & kept:
        yield violation("trace of a refusal", **refused[key].shown)


def _untold_blocks(facts: Facts) -> Iterator[Violation]:
    """Of a block that staff were told of, and of its end, everyone is told; of a run that came to rest."""
    told = {(record.type, str(record.body.get("blocked_slot_id"))) for record in facts.on("court.events")}
    for call in facts.history if facts.run.drained_at else ():
        for kind, block_id in _answered_blocks(call):
            if (kind, block_id) not in told:
                yield violation("lost-write", type=kind, blocked_slot_id=block_id, **call.shown)


def _answered_blocks(call: Call) -> Iterator[tuple[str, str]]:
    if call.is_ok and call.op == "block" and call.answer["outcome"] == "blocked":
        yield from (("slot.blocked.v1", each["id"]) for each in call.answer["blocked_slots"])
    if call.is_ok and call.op == "unblock":
        yield "slot.unblocked.v1", call.arguments["blocked_slot_id"]
