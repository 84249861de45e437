"""The users of a restored database, brought up to what `user.profiles` tells. A role comes with the next token."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from courtside_contracts.user import UserProfile
from services.booking.calendars import mutations as calendars
from services.booking.users.tables import users, venue_staff
from services.chassis.subscribing import Record
from services.chassis.unit_of_work import UnitOfWork


@dataclass
class Profiles:
    """The last that was told of each user; None is that they were erased."""

    newest: dict[UUID, tuple[datetime, UserProfile | None]] = field(default_factory=dict)

    def hear(self, record: Record) -> None:
        user_id, at = UUID((record.key or b"").decode()), datetime.fromtimestamp(record.timestamp / 1000, UTC)
        profile = UserProfile.model_validate_json(record.value) if record.value is not None else None
        self.newest[user_id] = (at, profile)


async def catch_up(work: UnitOfWork, profiles: Profiles) -> int:
    """How many users were heard of. Erased ones first: they give their addresses to others."""
    for user_id, (at, profile) in sorted(profiles.newest.items(), key=lambda each: each[1][1] is not None):
        if profile is None:
            await _forget(work, user_id, at)
        else:
            await _remember(work, profile, at)
    return len(profiles.newest)


async def _remember(work: UnitOfWork, profile: UserProfile, at: datetime) -> None:
    told: dict[str, Any] = {name: getattr(profile, name) for name in ("email", "name", "locale", "version")}
    row = insert(users).values(id=profile.user_id, role="player", created_at=at, **told)
    is_newer = (users.c.version < profile.version) & users.c.erased_at.is_(None)
    await work.session.execute(row.on_conflict_do_update(index_elements=["id"], set_=told, where=is_newer))


async def _forget(work: UnitOfWork, user_id: UUID, at: datetime) -> None:
    nobody = {"email": None, "name": None, "locale": None, "role": "player", "erased_at": at}
    row = insert(users).values(id=user_id, version=1, created_at=at, **nobody)
    changed = nobody | {"version": users.c.version + 1}
    still_there = users.c.erased_at.is_(None)
    await work.session.execute(row.on_conflict_do_update(index_elements=["id"], set_=changed, where=still_there))
    await work.session.execute(delete(venue_staff).where(venue_staff.c.user_id == user_id))
    await calendars.close(work, user_id)
