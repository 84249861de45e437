"""Who may look at mails: admins at all, staff at those of the venues that they work at. Players have theirs in their inbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute

from services.chassis import problems
from services.chassis.auth import Caller
from services.chassis.service import Chassis
from services.notifications.recipients.queries import venues_of


class StaffOnly(problems.Forbidden):
    """Only the staff of a venue may do this."""


@dataclass(frozen=True)
class Rights:
    """`venues` is where the caller is staff; `None` is everywhere."""

    user_id: UUID
    venues: frozenset[UUID] | None

    def cover(self, venue_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
        """Of rows with a venue, those that exist for the caller."""
        return true() if self.venues is None else venue_id.in_(self.venues)


async def rights_of(request: Request, caller: Caller) -> Rights:
    """The role is the token's; where it holds is asked of the projection each time. Raises `StaffOnly`."""
    if caller.role == "admin":
        return Rights(caller.user_id, venues=None)
    chassis: Chassis = request.app.state.chassis
    if caller.role == "staff":
        async with chassis.database.sessions() as session:
            if venues := await venues_of(session, caller.user_id):
                return Rights(caller.user_id, venues)
    raise StaffOnly("Only the staff of a venue may do this.")


RightsOf = Annotated[Rights, Depends(rights_of)]
