"""Whose payments may this caller see? Decided here, and nowhere else.

An admin may see all. A staff token is staff at the venues that its user's profile names, as booking told us, and of no use elsewhere. The
role comes from the token alone: the identity provider can take it away, whatever the table says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis import problems
from services.chassis.auth import Principal
from services.payments.profiles.queries import workplaces


class StaffOnly(problems.Forbidden):
    """Only the staff of a venue may see payments, and only those of its bookings."""


@dataclass(frozen=True)
class Rights:
    user_id: UUID
    is_admin: bool = False
    venues: frozenset[UUID] = field(default_factory=frozenset)

    def covers(self, venue_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Of rows with a venue, those that exist for the caller."""
        return true() if self.is_admin else venue_id.in_(self.venues)


async def rights_of(session: AsyncSession, caller: Principal) -> Rights:
    """Asks the database each time: rights that were taken away have no afterlife in a cache."""
    if caller.role == "admin":
        return Rights(caller.user_id, is_admin=True)
    venues = await workplaces(session, caller.user_id) if caller.role == "staff" else frozenset[UUID]()
    if not venues:
        raise StaffOnly("Only the staff of a venue may see its payments.")
    return Rights(caller.user_id, venues=venues)
