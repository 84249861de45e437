from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.booking.blocked_slots.filling import CourtContended
from services.booking.bookings.mutations import end_overdue
from services.booking.dependencies import CatalogueOf, ChassisOf, KnownUsersOf
from services.booking.users import erasure, mutations, queries
from services.booking.users.domain import (
    EmailBelongsToAnotherUser,
    HasActiveBookings,
    StaffOnly,
    User,
    UserErased,
)
from services.booking.users.rights import rights_of
from services.chassis import limits, problems
from services.chassis.auth import Caller, Role

router = APIRouter(
    prefix="/v1",
    tags=["users"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, UserErased),
)

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class UserOut(BaseModel):
    model_config = ConfigDict(title="User")

    id: UUID
    email: str
    name: str
    locale: str = Field(description="A BCP 47 tag", examples=["es", "en-GB"])
    created_at: datetime


class MeOut(UserOut):
    """`role` is the token's; `staff_at` are the venues at which it means something."""

    model_config = ConfigDict(title="Me")

    role: Role
    staff_at: list[UUID]


class UsersOut(BaseModel):
    model_config = ConfigDict(title="Users")

    users: list[UserOut]


class ProfileIn(BaseModel):
    """What is left out stays. What you write here stays whatever your token says; `null` follows the token again.

    The e-mail address belongs to the identity provider: change it there.
    """

    model_config = ConfigDict(extra="forbid", title="Profile")

    name: Name | None = None
    locale: Locale | None = None


@router.get("/me", response_model=MeOut, responses=problems.responses(EmailBelongsToAnotherUser))
async def get_me(caller: Caller, chassis: ChassisOf, known_users: KnownUsersOf) -> dict[str, Any]:
    """Who you are here. The first request makes you known to the club."""
    await known_users.remember(caller)
    return await _me(caller, chassis)


@router.patch("/me", response_model=MeOut, responses=problems.responses(EmailBelongsToAnotherUser))
async def edit_me(body: ProfileIn, caller: Caller, chassis: ChassisOf, known_users: KnownUsersOf) -> dict[str, Any]:
    """Change how mails greet you, and their language."""
    await known_users.remember(caller)
    changes = body.model_dump(exclude_unset=True)
    if changes:
        await chassis.unit_of_work.run(lambda work: mutations.edit(work, caller, changes))
    return await _me(caller, chassis)


@router.delete(
    "/me", status_code=204, responses=problems.responses(EmailBelongsToAnotherUser, HasActiveBookings, CourtContended)
)
async def erase_me(caller: Caller, chassis: ChassisOf, catalogue: CatalogueOf, known_users: KnownUsersOf) -> None:
    """Be forgotten, for good: your token opens nothing here any more. Active bookings must be cancelled first."""
    await known_users.remember(caller)
    await end_overdue(chassis, catalogue, bookings_of=caller.user_id)
    await chassis.unit_of_work.run(lambda work: erasure.erase(work, caller.user_id))


@router.get("/users", response_model=UsersOut, responses=problems.responses(StaffOnly, UserErased))
async def find_users(
    email: Annotated[str, Query(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$", examples=["ana@example.com"])],
    caller: Caller,
    chassis: ChassisOf,
) -> dict[str, Any]:
    """The user with this address, or nobody. For staff, who book for people at the desk."""
    async with chassis.database.sessions() as session:
        (await rights_of(session, caller)).require_staff_somewhere()
        user = await queries.by_email(session, email)
    return {"users": [represent(user)] if user else []}


async def _me(caller: Caller, chassis: ChassisOf) -> dict[str, Any]:
    async with chassis.database.sessions() as session:
        rights = await rights_of(session, caller)
        user = await queries.user(session, caller.user_id)
    if user is None:
        raise UserErased
    return represent(user) | {"role": caller.role, "staff_at": sorted(rights.venues)}


def represent(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "locale": user.locale,
        "created_at": user.created_at,
    }
