"""An address is suppressed by what its mail server or its owner said, and given back by a person."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from services.chassis.staff import Rights
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.suppressions.domain import Cause, SuppressionLifted, SuppressionNotFound, normal
from services.notifications.suppressions.tables import SuppressionRow


async def suppress(work: UnitOfWork, address: str, cause: Cause, **shown_by: UUID | None) -> None:
    """One in force for each address; what was there first stays. `shown_by` are the ids of the mail, its reader and its venue.

    What one mail has shown, and somebody has lifted since, it does not show again.
    """
    same = (SuppressionRow.email_id == shown_by["email_id"]) & (SuppressionRow.cause == cause)
    if await work.session.scalar(select(SuppressionRow.id).where(SuppressionRow.address == normal(address), same)):
        return
    row = insert(SuppressionRow).values(
        id=uuid7(), address=normal(address), cause=cause, created_at=work.now, **shown_by
    )
    await work.session.execute(row.on_conflict_do_nothing())


async def lift(work: UnitOfWork, suppression_id: UUID, by: Rights, reason: str) -> SuppressionRow:
    """Raises `SuppressionNotFound` or `SuppressionLifted`."""
    theirs = select(SuppressionRow).where(SuppressionRow.id == suppression_id, by.cover(SuppressionRow.venue_id))
    row = await work.session.scalar(theirs.with_for_update())
    if row is None:
        raise SuppressionNotFound("There is no such suppression.", suppression_id=str(suppression_id))
    if row.lifted_at is not None:
        raise SuppressionLifted("This suppression was lifted before.", suppression_id=str(suppression_id))
    row.lifted_at, row.lifted_by, row.lift_reason = work.now, by.user_id, reason
    return row


async def forget(work: UnitOfWork, user_id: UUID) -> None:
    await work.session.execute(delete(SuppressionRow).where(SuppressionRow.user_id == user_id))
