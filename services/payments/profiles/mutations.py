"""Kafka in: the topic `user.profiles` as a table."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from courtside_contracts.user import UserProfile
from services.chassis.unit_of_work import UnitOfWork
from services.payments.profiles.tables import Profile


async def keep_profile(work: UnitOfWork, profile: UserProfile) -> None:
    """The newest version stands, in whatever order they come."""
    statement = insert(Profile).values(profile.model_dump())
    columns = {name: statement.excluded[name] for name in ("email", "name", "locale", "staff_of", "version")}
    newer = Profile.erased_at.is_(None) & (Profile.version < statement.excluded.version)
    await work.session.execute(
        statement.on_conflict_do_update(index_elements=[Profile.user_id], set_=columns, where=newer)
    )


async def forget_profile(work: UnitOfWork, user_id: str) -> None:
    """For good: an erased user's id never comes back."""
    nobody: dict[str, Any] = {"email": None, "name": None, "locale": None, "staff_of": [], "erased_at": work.now}
    statement = insert(Profile).values(user_id=UUID(user_id), version=0, **nobody)
    await work.session.execute(statement.on_conflict_do_update(index_elements=[Profile.user_id], set_=nobody))
