from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import insert
from uuid_utils.compat import uuid7

from services.chassis.unit_of_work import UnitOfWork
from services.payments.history.domain import Step
from services.payments.history.tables import HistoryEntry


async def note(work: UnitOfWork, attempt_id: UUID, step: Step, actor: str, **details: Any) -> None:
    """In the transaction of the step itself. `details` are JSON, and hold no word about the player."""
    entry = {"attempt_id": attempt_id, "at": work.now, "step": step, "actor": actor, "details": details}
    await work.session.execute(insert(HistoryEntry).values(id=uuid7(), **entry))
