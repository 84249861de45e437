"""The projection of `user.profiles`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from courtside_contracts.user import UserProfile
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.recipients.tables import RecipientRow


async def remember(work: UnitOfWork, profile: UserProfile) -> None:
    """The newest version stands, in whatever order they come. A mail that is rendered already keeps the address it was rendered with."""
    known = profile.model_dump(include={"email", "name", "locale", "version"})
    known |= {"staff_of": list(profile.staff_of), "changed_at": work.now}
    statement = insert(RecipientRow).values(user_id=profile.user_id, **known)
    newer = RecipientRow.erased_at.is_(None) & (RecipientRow.version < statement.excluded.version)
    await work.session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=known, where=newer))


async def forget(work: UnitOfWork, user_id: UUID) -> None:
    """For good: an erased user's id never comes back."""
    nobody: dict[str, Any] = {
        "email": None,
        "name": None,
        "locale": None,
        "staff_of": [],
        "changed_at": work.now,
        "erased_at": work.now,
    }
    statement = insert(RecipientRow).values(user_id=user_id, version=0, **nobody)
    await work.session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=nobody))
