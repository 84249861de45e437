"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from services.chassis.auth import Caller
from services.chassis.service import Chassis
from services.chassis.staff import Rights, rights_of
from services.payments.actions import Polar
from services.payments.profiles.queries import workplaces


async def _chassis(request: Request) -> Chassis:
    return cast("Chassis", request.app.state.chassis)


async def _polar(request: Request) -> Polar:
    return cast("Polar", request.app.state.polar)


ChassisOf = Annotated[Chassis, Depends(_chassis)]
PolarOf = Annotated[Polar, Depends(_polar)]


async def _rights(caller: Caller, chassis: ChassisOf) -> Rights:
    async with chassis.database.sessions() as session:
        return await rights_of(session, caller, workplaces)


RightsOf = Annotated[Rights, Depends(_rights)]
"""Raises `StaffOnly` for everybody else."""
