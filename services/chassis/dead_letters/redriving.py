"""A group that is redriven: ten first, and the rest once all ten ended well.

canary ──each of the ten is in the inbox──► rest ──all sent──► sent
  └──one of them is back in the dead letters, or was opened again, or a person says so──► halted
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from services.chassis.dead_letters import queries
from services.chassis.dead_letters.domain import (
    CANARY,
    Decision,
    Desk,
    NothingToRedrive,
    RedriveEnded,
    RedriveNotFound,
    RedriveUnderWay,
    redriven,
)
from services.chassis.dead_letters.listing import Selection
from services.chassis.dead_letters.mutations import note, send
from services.chassis.dead_letters.tables import AnyRow, dead_letter_redrives, dead_letters
from services.chassis.outbox import VERBATIM_MAX_BYTES
from services.chassis.unit_of_work import UnitOfWork

BATCH = 50
"""Letters of one transaction, with their bodies in memory."""
ADDED_MAX_BYTES = 256
"""The headers that a redrive adds."""

columns, redrives = dead_letters.c, dead_letter_redrives.c


async def start(work: UnitOfWork, desk: Desk, selection: Selection, decision: Decision) -> UUID:
    """Sends the canary. Only letters that are here by now belong to it, so what comes back is not sent in circles."""
    meant = _meant(desk, selection, work.now)
    total = await work.session.scalar(select(func.count()).select_from(dead_letters).where(meant)) or 0
    if not total:
        raise NothingToRedrive("No open dead letter of a type that is handled here meets these filters.")
    redrive_id = await _claim(work, selection, decision, total)
    await _send(work, desk, meant, redrive_id, decision, CANARY)
    return redrive_id


async def carry_on(work: UnitOfWork, desk: Desk) -> int:
    """One batch of the rest, if there is a redrive and its canary lived. How many were sent; `BATCH` means that there may be more."""
    if not desk.relays:
        return 0
    running = select(dead_letter_redrives).where(redrives.running).with_for_update(skip_locked=True)
    redrive = (await work.session.execute(running)).one_or_none()
    if redrive is None or not await _may_go_on(work, redrive):
        return 0
    meant = _meant(desk, Selection.model_validate(redrive.filters), redrive.started_at)
    decision = Decision(redrive.actor_id, redrive.reason)
    sent = await _send(work, desk, meant, redrive.id, decision, BATCH)
    await _change(work, redrive.id, **({"state": "rest"} if sent == BATCH else _ended(work, "sent")))
    return sent


async def halt(work: UnitOfWork, redrive_id: UUID, decision: Decision) -> None:
    """What was sent is on its way; nothing follows."""
    found = select(dead_letter_redrives).where(redrives.id == redrive_id).with_for_update()
    redrive = (await work.session.execute(found)).one_or_none()
    if redrive is None:
        raise RedriveNotFound("There is no such redrive.", redrive_id=str(redrive_id))
    if not redrive.running:
        raise RedriveEnded(f"This redrive is {redrive.state} already.", state=redrive.state)
    await _change(work, redrive_id, **_ended(work, "halted"))
    await note(work, "halt", decision, [], redrive_id=redrive_id)


async def _may_go_on(work: UnitOfWork, redrive: AnyRow) -> bool:
    if redrive.state == "rest":
        return True
    outcomes = await queries.outcomes(work.session, redrive.id)
    if outcomes.get("died_again") or outcomes.get("open"):
        await _change(work, redrive.id, **_ended(work, "halted"))
        return False
    return not outcomes.get("redriven")


async def _claim(work: UnitOfWork, selection: Selection, decision: Decision, total: int) -> UUID:
    row = {
        "id": uuid7(),
        "filters": selection.model_dump(mode="json", exclude_none=True),
        "actor_id": decision.actor_id,
        "reason": decision.reason,
        "state": "canary",
        "total": total,
        "started_at": work.now,
        "running": True,
    }
    claim = insert(dead_letter_redrives).values(row).on_conflict_do_nothing(index_elements=["running"])
    redrive_id: UUID | None = await work.session.scalar(claim.returning(redrives.id))
    if redrive_id is None:
        running = await work.session.scalar(select(redrives.id).where(redrives.running))
        raise RedriveUnderWay("Another group is being redriven.", redrive_id=running and str(running))
    return redrive_id


async def _send(
    work: UnitOfWork, desk: Desk, meant: ColumnElement[bool], redrive_id: UUID, decision: Decision, limit: int
) -> int:
    """The oldest first. One that somebody is deciding about right now is left to them."""
    oldest = select(*queries.LETTER).where(meant).order_by(columns.died_at, columns.id).limit(limit)
    rows = (await work.session.execute(oldest.with_for_update(skip_locked=True))).all()
    for letter in map(queries.letter_of, rows):
        await send(work, desk, letter, redriven(letter), letter.event_id, redrive_id=redrive_id)
    if rows:
        await note(work, "redrive", decision, [row.id for row in rows], redrive_id=redrive_id)
    return len(rows)


def _meant(desk: Desk, selection: Selection, by: datetime) -> ColumnElement[bool]:
    """Open, there by then, whole, small enough to be sent, and of a type that is handled, or none that can be read."""
    return and_(
        columns.state == "open",
        columns.mirrored_at <= by,
        columns.missing.is_(None),
        or_(columns.key.is_not(None), columns.value.is_not(None)),
        columns.size_bytes <= VERBATIM_MAX_BYTES - ADDED_MAX_BYTES,
        or_(columns.type.is_(None), columns.type.in_(list(desk.types))),
        *selection.conditions(),
    )


def _ended(work: UnitOfWork, state: str) -> dict[str, Any]:
    return {"state": state, "ended_at": work.now, "running": None}


async def _change(work: UnitOfWork, redrive_id: UUID, **values: Any) -> None:
    await work.session.execute(update(dead_letter_redrives).where(redrives.id == redrive_id).values(**values))
