from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from services.booking.users import events
from services.booking.users.domain import EmailBelongsToAnotherUser, User, UserErased
from services.booking.users.queries import COLUMNS, LIVING, must_live, to_user, workplaces
from services.booking.users.rights import refuse_erased
from services.booking.users.tables import BY_EMAIL, users, venue_staff
from services.chassis.auth import Principal
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

REMEMBERED = 10_000
"""Profiles kept in memory, some 5 MB: the players of a large club in one day."""


class KnownUsers:
    """The first sight of a token creates its user, a changed one updates it; a token that was seen costs no round trip.

    What it remembers is that nothing is new, never that the user is still there: another process may have erased them.
    """

    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work
        self._seen: OrderedDict[UUID, Principal] = OrderedDict()

    async def remember(self, principal: Principal) -> None:
        if self._seen.get(principal.user_id) == principal:
            self._seen.move_to_end(principal.user_id)
            return
        try:
            await self._save(principal)
        except EmailBelongsToAnotherUser:
            # Perhaps two first requests of this very user at once: the address was taken a moment ago, by themselves.
            await self._save(principal)
        self._seen[principal.user_id] = principal
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    async def _save(self, principal: Principal) -> None:
        await self._unit_of_work.run(lambda work: save(work, principal))


async def save(work: UnitOfWork, principal: Principal) -> None:
    """Insert or update the user as the token has them, and tell of the profile when it is new. What they wrote themselves stays."""
    told = {"email": principal.email, "name": principal.name, "locale": principal.locale, "role": principal.role}
    row = insert(users).values(id=principal.user_id, version=1, created_at=work.now, **told)
    kept: dict[str, ColumnElement[Any]] = {name: row.excluded[name] for name in told} | {
        name: case((users.c[f"{name}_is_own"], users.c[name]), else_=row.excluded[name]) for name in ("name", "locale")
    }
    changed = LIVING & or_(*(users.c[name].is_distinct_from(value) for name, value in kept.items()))
    statement = row.on_conflict_do_update(
        index_elements=["id"], set_={**kept, "version": users.c.version + 1}, where=changed
    ).returning(*COLUMNS)
    try:
        saved = (await work.session.execute(statement)).one_or_none()
    except IntegrityError as error:
        if getattr(error.orig and error.orig.__cause__, "constraint_name", None) != BY_EMAIL:
            raise
        raise EmailBelongsToAnotherUser("This e-mail address belongs to another user of the club.") from error
    if saved:
        await _tell(work, to_user(saved))
    else:
        await refuse_erased(work.session, principal.user_id)


async def edit(work: UnitOfWork, principal: Principal, changes: Mapping[str, str | None]) -> User:
    """`changes` of name and locale are the user's own from now on; `None` gives one back to the token."""
    values: dict[str, Any] = {}
    for name, value in changes.items():
        values |= {name: value or getattr(principal, name), f"{name}_is_own": value is not None}
    statement = update(users).where(users.c.id == principal.user_id, LIVING)
    edited = statement.values(**values, version=users.c.version + 1).returning(*COLUMNS)
    row = (await work.session.execute(edited)).one_or_none()
    if row is None:
        raise UserErased
    user = to_user(row)
    await _tell(work, user)
    return user


async def make_staff(work: UnitOfWork, venue_id: UUID, user_id: UUID) -> None:
    await must_live(work.session, user_id)
    row = insert(venue_staff).values(user_id=user_id, venue_id=venue_id, since=work.now)
    hired = row.on_conflict_do_nothing().returning(venue_staff.c.user_id)
    if await work.session.scalar(hired) is not None:
        await _tell_anew(work, user_id)


async def dismiss_staff(work: UnitOfWork, venue_id: UUID, user_id: UUID) -> None:
    one = (venue_staff.c.venue_id == venue_id) & (venue_staff.c.user_id == user_id)
    gone = delete(venue_staff).where(one).returning(venue_staff.c.user_id)
    if await work.session.scalar(gone) is not None:
        await _tell_anew(work, user_id)


async def _tell_anew(work: UnitOfWork, user_id: UUID) -> None:
    """Where somebody works has changed, and so has what the other services may show them."""
    one = update(users).where(users.c.id == user_id, LIVING).values(version=users.c.version + 1)
    row = (await work.session.execute(one.returning(*COLUMNS))).one_or_none()
    if row is not None:
        await _tell(work, to_user(row))


async def _tell(work: UnitOfWork, user: User) -> None:
    work.publish(events.profile(user, await workplaces(work.session, user.id)))
