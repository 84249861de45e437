"""HTTP in: groups that are sent again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import ConfigDict

from services.chassis.dead_letters import queries, redriving
from services.chassis.dead_letters import representation as shown
from services.chassis.dead_letters.dependencies import PREFIX, BecauseIn, ChassisOf, DeciderOf, DeskOf
from services.chassis.dead_letters.domain import Decision, RedriveNotFound
from services.chassis.dead_letters.listing import Selection
from services.chassis.idempotency import Answer
from services.chassis.unit_of_work import UnitOfWork


class RedriveIn(Selection, BecauseIn):
    """All open dead letters that meet these filters."""

    model_config = ConfigDict(extra="forbid", title="RedriveDeadLetters")


async def redrive_dead_letters(body: RedriveIn, decider: DeciderOf, desk: DeskOf) -> Response:
    """Send a group again: ten first, the rest by itself once all ten are known to have ended well."""

    async def change(work: UnitOfWork, decision: Decision) -> Answer:
        selection = Selection.model_validate(body.model_dump(exclude={"reason"}))
        return await _answer(work, await redriving.start(work, desk, selection, decision), 202)

    return await decider.once(body, change)


async def read_redrive(redrive_id: UUID, chassis: ChassisOf) -> dict[str, Any]:
    """How far a group is, and how its letters ended."""
    async with chassis.database.sessions() as session:
        row = await queries.find_redrive(session, redrive_id)
        if row is None:
            raise RedriveNotFound("There is no such redrive.", redrive_id=str(redrive_id))
        return shown.redrive(row, await queries.outcomes(session, redrive_id))


async def halt_redrive(redrive_id: UUID, body: BecauseIn, decider: DeciderOf) -> Response:
    """Send no more of a group. What was sent is on its way."""

    async def change(work: UnitOfWork, decision: Decision) -> Answer:
        await redriving.halt(work, redrive_id, decision)
        return await _answer(work, redrive_id, 200)

    return await decider.once(body, change)


async def _answer(work: UnitOfWork, redrive_id: UUID, status: int) -> Answer:
    row = await queries.find_redrive(work.session, redrive_id)
    assert row is not None, "this transaction made or locked it"
    told = shown.RedriveOut.model_validate(shown.redrive(row, await queries.outcomes(work.session, redrive_id)))
    return Answer(status, told.model_dump_json().encode(), {"Location": f"{PREFIX}/redrives/{redrive_id}"})
