"""The projection of `user.profiles`."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert

from courtside_contracts.user import UserProfile
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.recipients.tables import RecipientRow


async def remember(work: UnitOfWork, profile: UserProfile) -> None:
    """The profile as it is now. A mail that is rendered already keeps the address it was rendered with."""
    known = {"email": profile.email, "name": profile.name, "locale": profile.locale, "changed_at": work.now}
    statement = insert(RecipientRow).values(user_id=profile.user_id, **known)
    await work.session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=known))
