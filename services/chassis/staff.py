"""Who may look at what belongs to a venue, in the services that know users by their profile: admins at all, staff at those of their venues.

The role comes from the token alone, since the identity provider can take it away, whatever the profile says. Where it holds is asked of the
database each time: rights that were taken away have no afterlife in a cache.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.chassis import problems
from services.chassis.auth import Principal

Workplaces = Callable[[AsyncSession, UUID], Awaitable[frozenset[UUID]]]
"""The venues whose staff a user is of, as far as this service has heard."""


class StaffOnly(problems.Forbidden):
    """Only the staff of a venue may do this."""


@dataclass(frozen=True)
class Rights:
    """`venues` is where the caller is staff; `None` is everywhere."""

    user_id: UUID
    venues: frozenset[UUID] | None

    @property
    def is_admin(self) -> bool:
        return self.venues is None

    def cover(self, venue_id: ColumnElement[Any] | InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
        """Of rows with a venue, those that exist for the caller."""
        return true() if self.venues is None else venue_id.in_(self.venues)


async def rights_of(session: AsyncSession, caller: Principal, workplaces: Workplaces) -> Rights:
    """Raises `StaffOnly`."""
    if caller.role == "admin":
        return Rights(caller.user_id, venues=None)
    venues = await workplaces(session, caller.user_id) if caller.role == "staff" else frozenset[UUID]()
    if not venues:
        raise StaffOnly("Only the staff of a venue may do this.")
    return Rights(caller.user_id, venues)
