from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from courtside_contracts.user import UserProfile
from services.booking.users.tables import users
from services.chassis import problems
from services.chassis.auth import Principal
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

REMEMBERED = 10_000
"""Profiles kept in memory, some 5 MB: the players of a large club in one day."""


class EmailBelongsToAnotherUser(problems.Conflict):
    """The token's e-mail address is that of another user of the club."""


class KnownUsers:
    """The first sight of a token creates its user, a changed one updates it; a token that was seen costs no round trip."""

    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work
        self._seen: OrderedDict[UUID, Principal] = OrderedDict()

    async def remember(self, principal: Principal) -> None:
        if self._seen.get(principal.user_id) == principal:
            self._seen.move_to_end(principal.user_id)
            return
        async with self._unit_of_work() as work:
            await save(work, principal)
        self._seen[principal.user_id] = principal
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


async def save(work: UnitOfWork, principal: Principal) -> None:
    """Insert or update the user, and tell of the profile when it is new."""
    profile = {"email": principal.email, "name": principal.name, "locale": principal.locale, "role": principal.role}
    row = insert(users).values(id=principal.user_id, version=1, created_at=work.now, **profile)
    changed = or_(*(getattr(users.c, name).is_distinct_from(row.excluded[name]) for name in profile))
    update = {**profile, "version": users.c.version + 1}
    statement = row.on_conflict_do_update(index_elements=["id"], set_=update, where=changed).returning(users.c.version)
    try:
        version = (await work.session.execute(statement)).scalar()
    except IntegrityError as error:
        raise EmailBelongsToAnotherUser("This e-mail address belongs to another user of the club.") from error
    if version:
        work.publish(
            UserProfile(
                user_id=principal.user_id,
                version=version,
                email=principal.email,
                name=principal.name,
                locale=principal.locale,
            )
        )
