"""What a route may ask for, and how it changes something: under an idempotency key, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.auth import Caller, Principal
from services.chassis.idempotency import Answer, IdempotencyKey, KeyHeader, once
from services.chassis.service import Chassis
from services.chassis.staff import Rights, rights_of
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.recipients.queries import workplaces


class BecauseIn(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Because")

    reason: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="Why, for whoever reads the audit",
        examples=["She has corrected her address"],
    )


async def _chassis(request: Request) -> Chassis:
    return cast("Chassis", request.app.state.chassis)


ChassisOf = Annotated[Chassis, Depends(_chassis)]


async def _rights(caller: Caller, chassis: ChassisOf) -> Rights:
    async with chassis.database.sessions() as session:
        return await rights_of(session, caller, workplaces)


RightsOf = Annotated[Rights, Depends(_rights)]
"""Raises `StaffOnly` for everybody else."""


class Changer:
    """The caller with their idempotency key. `once(body, change)` makes the change and answers, or gives the first answer again."""

    def __init__(self, operation: str, chassis: Chassis, caller: Principal, idempotency_key: str | None) -> None:
        self._operation = operation
        self._chassis, self._user_id, self._key = chassis, caller.user_id, idempotency_key

    async def once(self, body: BaseModel, change: Callable[[UnitOfWork], Awaitable[Answer]]) -> Response:
        key = IdempotencyKey.of(self._user_id, self._key, self._operation, body)
        answer = await self._chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))
        return answer.response()


async def _changer(request: Request, chassis: ChassisOf, caller: Caller, idempotency_key: KeyHeader = None) -> Changer:
    return Changer(f"POST {request.url.path}", chassis, caller, idempotency_key)


ChangerOf = Annotated[Changer, Depends(_changer)]
