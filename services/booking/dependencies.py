"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import SecretStr

from services.booking.users.mutations import KnownUsers
from services.booking.venues.queries import Catalogue
from services.chassis.service import Chassis


def _chassis(request: Request) -> Chassis:
    return cast("Chassis", request.app.state.chassis)


def _catalogue(request: Request) -> Catalogue:
    return cast("Catalogue", request.app.state.catalogue)


def _known_users(request: Request) -> KnownUsers:
    return cast("KnownUsers", request.app.state.known_users)


def _calendar_key(request: Request) -> SecretStr:
    return cast("SecretStr", request.app.state.calendar_key)


ChassisOf = Annotated[Chassis, Depends(_chassis)]
CatalogueOf = Annotated[Catalogue, Depends(_catalogue)]
KnownUsersOf = Annotated[KnownUsers, Depends(_known_users)]
CalendarKeyOf = Annotated[SecretStr, Depends(_calendar_key)]
