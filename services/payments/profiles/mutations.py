"""Kafka in: the topic `user.profiles` as a table."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from courtside_contracts.user import UserProfile
from services.chassis.unit_of_work import UnitOfWork
from services.payments.profiles.tables import Profile


async def keep_profile(work: UnitOfWork, profile: UserProfile) -> None:
    """The newest version stands, in whatever order they come."""
    statement = insert(Profile).values(profile.model_dump())
    columns = {name: statement.excluded[name] for name in ("email", "name", "locale", "version")}
    newer = Profile.version < statement.excluded.version
    await work.session.execute(
        statement.on_conflict_do_update(index_elements=[Profile.user_id], set_=columns, where=newer)
    )
