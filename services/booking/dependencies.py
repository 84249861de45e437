"""What a route may ask for.

Each is a coroutine, though none waits: FastAPI runs a plain function in a thread, and the way there and back costs more than the rest of
a small request.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import SecretStr

from services.booking.availability.answering import Answers
from services.booking.bookings.outlook import Outlooks
from services.booking.users.mutations import KnownUsers
from services.booking.venues.queries import Catalogue
from services.chassis.service import Chassis


async def _chassis(request: Request) -> Chassis:
    return cast("Chassis", request.app.state.chassis)


async def _catalogue(request: Request) -> Catalogue:
    return cast("Catalogue", request.app.state.catalogue)


async def _known_users(request: Request) -> KnownUsers:
    return cast("KnownUsers", request.app.state.known_users)


async def _calendar_key(request: Request) -> SecretStr:
    return cast("SecretStr", request.app.state.calendar_key)


async def _answers(request: Request) -> Answers:
    return cast("Answers", request.app.state.answers)


async def _outlooks(request: Request) -> Outlooks:
    return cast("Outlooks", request.app.state.outlooks)


ChassisOf = Annotated[Chassis, Depends(_chassis)]
AnswersOf = Annotated[Answers, Depends(_answers)]
OutlooksOf = Annotated[Outlooks, Depends(_outlooks)]
CatalogueOf = Annotated[Catalogue, Depends(_catalogue)]
KnownUsersOf = Annotated[KnownUsers, Depends(_known_users)]
CalendarKeyOf = Annotated[SecretStr, Depends(_calendar_key)]
