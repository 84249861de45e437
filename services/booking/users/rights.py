"""What may this caller do at this venue? Decided here, and nowhere else.

An admin may do everything everywhere. A staff token is staff at the venues of `venue_staff`, and a mere player elsewhere. The role
comes from the token alone: the identity provider can take it away, whatever the table says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.users.domain import StaffOnly, UserErased
from services.booking.users.tables import users, venue_staff
from services.chassis.auth import AdminOnly, Principal, Role
from services.chassis.database import Database

Party = Literal["player", "club"]


@dataclass(frozen=True)
class Rights:
    user_id: UUID
    is_admin: bool = False
    venues: frozenset[UUID] = field(default_factory=frozenset)
    """Where the caller is staff."""

    def staff_at(self, venue_id: UUID) -> bool:
        return self.is_admin or venue_id in self.venues

    def party_at(self, venue_id: UUID) -> Party:
        """For whom the caller acts there."""
        return "club" if self.staff_at(venue_id) else "player"

    def require_staff_at(self, venue_id: UUID) -> None:
        if not self.staff_at(venue_id):
            raise StaffOnly("Only the staff of this venue may do this.", venue_id=str(venue_id))

    def require_staff_somewhere(self) -> None:
        if not (self.is_admin or self.venues):
            raise StaffOnly("Only the staff of a venue may do this.")

    def require_admin(self) -> None:
        if not self.is_admin:
            raise AdminOnly("Only an admin may do this.")

    def covers(self, user_id: ColumnElement[UUID], venue_id: ColumnElement[UUID]) -> ColumnElement[bool]:
        """Of rows with an owner and a venue, those that exist for the caller: their own, and all of the venues they work at."""
        return true() if self.is_admin else or_(user_id == self.user_id, venue_id.in_(self.venues))


async def rights_of(session: AsyncSession, caller: Principal) -> Rights:
    """Asks the database each time: rights that were taken away and users that were erased have no afterlife in a cache."""
    await refuse_erased(session, caller.user_id)
    if caller.role != "staff":
        return Rights(caller.user_id, is_admin=caller.role == "admin")
    found = await session.scalars(select(venue_staff.c.venue_id).where(venue_staff.c.user_id == caller.user_id))
    return Rights(caller.user_id, venues=frozenset(found))


async def role_at(session: AsyncSession, caller: Principal, venue_id: UUID) -> Role:
    """What the caller is at this venue, and so whose prices are theirs. Only a staff token costs a statement."""
    if caller.role != "staff":
        return caller.role
    here = (venue_staff.c.user_id == caller.user_id) & (venue_staff.c.venue_id == venue_id)
    return "staff" if await session.scalar(select(exists().where(here))) else "player"


async def role_in(database: Database, caller: Principal, venue_id: UUID) -> Role:
    """The same, outside of any transaction."""
    if caller.role != "staff":
        return caller.role
    async with database.sessions() as session:
        return await role_at(session, caller, venue_id)


async def refuse_erased(session: AsyncSession, user_id: UUID) -> None:
    """A token that was never seen belongs to a user to be; one whose user was erased opens nothing."""
    if await session.scalar(select(users.c.erased_at).where(users.c.id == user_id)) is not None:
        raise UserErased


async def require_staff(database: Database, caller: Principal, venue_id: UUID) -> None:
    """For a route that is the staff's whatever it finds. Raises `StaffOnly`."""
    async with database.sessions() as session:
        (await rights_of(session, caller)).require_staff_at(venue_id)
