"""One transaction each: what is mirrored, and what is decided about one letter. Groups are in `redriving.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Event
from services.chassis.dead_letters import erasure, queries
from services.chassis.dead_letters.domain import (
    DeadLetterDecided,
    DeadLetterNotFound,
    Decision,
    Desk,
    EventNotValid,
    Letter,
    TooLargeToSend,
    edited,
    redriven,
)
from services.chassis.dead_letters.tables import dead_letter_actions, dead_letters
from services.chassis.inbox import inbox
from services.chassis.outbox import Outgoing, RecordTooLarge
from services.chassis.unit_of_work import UnitOfWork
from services.chassis.verbatim import Verbatim

KEPT = timedelta(days=120)
"""After the decision. Longer than the topic keeps the record (90 days), or a reset of the mirror would bring it back as new."""
PURGE_BATCH = SETTLE_BATCH = 500
ENDED = ("settled", "died_again", "discarded")

columns, actions = dead_letters.c, dead_letter_actions.c


async def mirror(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Add those that are not there yet. One that was redriven from here is linked with the letter it was, which so has died again."""
    await erasure.forget_those_known(work, rows)
    sent = await _sent(work, {row["predecessor_id"] for row in rows} - {None})
    for row in rows:
        # The claim of a header counts only if we did send that event from that letter.
        if sent.get(row["predecessor_id"], ()) != (row["event_id"],):
            row["predecessor_id"] = None
    added = upsert(dead_letters).values(list(rows)).on_conflict_do_nothing(constraint="dead_letters_mirrored_once")
    back = set(await work.session.scalars(added.returning(columns.predecessor_id))) - {None}
    again = (columns.id.in_(back)) & (columns.state == "redriven")
    await work.session.execute(update(dead_letters).where(again).values(state="died_again"))


async def _sent(work: UnitOfWork, ids: set[UUID]) -> Mapping[UUID, tuple[str | None]]:
    found = select(columns.id, columns.sent_as).where(columns.id.in_(ids), columns.state != "open")
    return {row.id: (row.sent_as,) for row in await work.session.execute(found)}


async def redrive(work: UnitOfWork, desk: Desk, letter_id: UUID, decision: Decision) -> None:
    """The record goes to the outbox in one commit with the mark on its row: a crash loses nothing, and a second request finds the mark."""
    letter = await _open(work, letter_id)
    letter.require_whole()
    desk.require_handled(letter)
    await send(work, desk, letter, redriven(letter), letter.event_id)
    await note(work, "redrive", decision, [letter.id])


async def edit(
    work: UnitOfWork, desk: Desk, letter_id: UUID, type_name: str | None, value: dict[str, Any], decision: Decision
) -> None:
    """A new event in its place, under a new id that names the old one as its cause. The type stays if none is given."""
    letter = await _open(work, letter_id)
    letter.require_not_erased()
    kind = desk.kind(type_name or letter.type)
    body, event_id = _validated(kind, value), str(uuid7())
    await send(work, desk, letter, edited(letter, kind, event_id, work.now), event_id, body=body)
    await note(work, "edit", decision, [letter.id], value=body)


async def discard(work: UnitOfWork, letter_id: UUID, decision: Decision) -> None:
    """Nothing is sent. The row stays as long as any."""
    letter = await _open(work, letter_id)
    await _decide(work, [letter.id], state="discarded")
    await note(work, "discard", decision, [letter.id])


async def reopen(work: UnitOfWork, letter_id: UUID, decision: Decision) -> None:
    """For what was redriven and never heard of again. Should it come back all the same, the inbox keeps its effect to one."""
    letter = await _lock(work, letter_id)
    letter.require_lost(work.now)
    again = update(dead_letters).where(columns.id == letter_id)
    await work.session.execute(again.values(state="open", decided_at=None, sent_as=None))
    await note(work, "reopen", decision, [letter_id])


async def send(
    work: UnitOfWork,
    desk: Desk,
    letter: Letter,
    verbatim: Verbatim,
    event_id: str | None,
    *,
    body: bytes | None = None,
    redrive_id: UUID | None = None,
) -> None:
    desk.require_relay()
    outgoing = Outgoing(
        id=uuid7(),
        topic=desk.destination,
        key=str(letter.id),
        type=letter.type or "",
        source="",
        payload=letter.value if body is None else body,
        time=work.now,
        verbatim=verbatim,
    )
    try:
        outgoing.row()
    except RecordTooLarge as error:
        raise TooLargeToSend("Its key, value and headers are too large for a retry topic.") from error
    work.outgoing.append(outgoing)
    await _decide(work, [letter.id], state="redriven", sent_as=event_id, redrive_id=redrive_id)


async def note(
    work: UnitOfWork,
    action: str,
    decision: Decision,
    letters: Iterable[UUID],
    *,
    redrive_id: UUID | None = None,
    value: bytes | None = None,
) -> None:
    """One row of the audit."""
    row = {
        "id": uuid7(),
        "action": action,
        "actor_id": decision.actor_id,
        "reason": decision.reason,
        "at": work.now,
        "dead_letter_ids": list(letters),
        "redrive_id": redrive_id,
        "value": value,
    }
    await work.session.execute(insert(dead_letter_actions).values(row))


async def settle(work: UnitOfWork, group: str) -> int:
    """One batch of those whose event has had its effect: it is in the inbox."""
    handled = (inbox.c.consumer_group == group) & (inbox.c.event_id == columns.sent_as)
    found = select(columns.id).join(inbox, handled).where(columns.state == "redriven").limit(SETTLE_BATCH)
    done = update(dead_letters).where(columns.id.in_(found.with_for_update(of=dead_letters, skip_locked=True)))
    return len((await work.session.execute(done.values(state="settled").returning(columns.id))).all())


async def purge(work: UnitOfWork) -> int:
    """One batch of those that ended long ago, with what their edits sent. What has not had its effect stays, open or redriven."""
    old = select(columns.id).where(columns.decided_at < work.now - KEPT, columns.state.in_(ENDED)).limit(PURGE_BATCH)
    gone = delete(dead_letters).where(columns.id.in_(old.with_for_update(skip_locked=True)))
    ids = (await work.session.scalars(gone.returning(columns.id))).all()
    edits = update(dead_letter_actions).where(actions.dead_letter_ids.overlap(ids), actions.value.is_not(None))
    await work.session.execute(edits.values(value=None))
    return len(ids)


async def _decide(work: UnitOfWork, ids: Sequence[UUID], **values: Any) -> None:
    await work.session.execute(update(dead_letters).where(columns.id.in_(ids)).values(decided_at=work.now, **values))


async def _lock(work: UnitOfWork, letter_id: UUID) -> Letter:
    """So that of two who decide at once the second finds it decided."""
    letter = await queries.lock(work.session, letter_id)
    if letter is None:
        raise DeadLetterNotFound("There is no such dead letter.", dead_letter_id=str(letter_id))
    return letter


async def _open(work: UnitOfWork, letter_id: UUID) -> Letter:
    letter = await _lock(work, letter_id)
    if letter.state != "open":
        successor = await queries.successor_of(work.session, letter_id)
        raise DeadLetterDecided(
            f"This dead letter was decided about before: {letter.state.replace('_', ' ')}.",
            state=letter.state,
            successor_id=successor and str(successor),
        )
    return letter


def _validated(kind: type[Event], value: dict[str, Any]) -> bytes:
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    try:
        kind.model_validate_json(body)
    except ValidationError as error:
        errors = [
            {"pointer": "#/value/" + "/".join(map(str, found["loc"])), "detail": found["msg"], "code": found["type"]}
            for found in error.errors(include_input=False, include_url=False)
        ]
        raise EventNotValid(f"The new value is no {kind.type}.", errors=errors) from error
    return body
