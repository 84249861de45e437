"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from services.booking.users.mutations import KnownUsers
from services.booking.venues.queries import Catalogue
from services.chassis.service import Chassis


def _chassis(request: Request) -> Chassis:
    return cast("Chassis", request.app.state.chassis)


def _catalogue(request: Request) -> Catalogue:
    return cast("Catalogue", request.app.state.catalogue)


def _known_users(request: Request) -> KnownUsers:
    return cast("KnownUsers", request.app.state.known_users)


ChassisOf = Annotated[Chassis, Depends(_chassis)]
CatalogueOf = Annotated[Catalogue, Depends(_catalogue)]
KnownUsersOf = Annotated[KnownUsers, Depends(_known_users)]
