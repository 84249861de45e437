"""Who works at which venue: an admin's business."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from services.booking.dependencies import CatalogueOf, ChassisOf
from services.booking.users import mutations, queries
from services.booking.users.api import UserOut, represent
from services.booking.users.domain import UserErased, UserNotFound
from services.booking.users.rights import rights_of
from services.booking.venues.queries import VenueNotFound
from services.chassis import limits, problems
from services.chassis.auth import AdminOnly, Caller


async def admin(caller: Caller, chassis: ChassisOf) -> None:
    async with chassis.database.sessions() as session:
        (await rights_of(session, caller)).require_admin()


async def known_venue(venue_id: UUID, catalogue: CatalogueOf) -> UUID:
    return (await catalogue.venue(venue_id)).id


VenueId = Annotated[UUID, Depends(known_venue)]

router = APIRouter(
    prefix="/v1/venues/{venue_id}/staff",
    tags=["staff"],
    dependencies=[Depends(limits.by_user), Depends(admin)],
    responses=problems.responses(problems.TooManyRequests, UserErased, AdminOnly, VenueNotFound),
)


class StaffMemberOut(UserOut):
    model_config = ConfigDict(title="StaffMember")

    since: datetime


class StaffOut(BaseModel):
    """The longest here first."""

    model_config = ConfigDict(title="Staff")

    staff: list[StaffMemberOut]


@router.get("", response_model=StaffOut)
async def list_staff(venue_id: VenueId, chassis: ChassisOf) -> dict[str, Any]:
    """All who work at a venue: a handful, so they come at once."""
    async with chassis.database.sessions() as session:
        members = await queries.staff_of(session, venue_id)
    return {"staff": [represent(user) | {"since": since} for user, since in members]}


@router.put("/{user_id}", status_code=204, responses=problems.responses(UserNotFound, VenueNotFound))
async def make_staff(venue_id: VenueId, user_id: UUID, chassis: ChassisOf) -> None:
    """Together with the role `staff` in their token this lets a user act for the venue. They must have signed in once."""
    await chassis.unit_of_work.run(lambda work: mutations.make_staff(work, venue_id, user_id))


@router.delete("/{user_id}", status_code=204)
async def dismiss_staff(venue_id: VenueId, user_id: UUID, chassis: ChassisOf) -> None:
    """From the next request on they are a player there, like anybody. Whoever is no staff stays none."""
    await chassis.unit_of_work.run(lambda work: mutations.dismiss_staff(work, venue_id, user_id))
