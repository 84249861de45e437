"""What the routes of the desk ask for, and how they change something: under an idempotency key, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.auth import Caller, Principal
from services.chassis.dead_letters.domain import Decision, Desk
from services.chassis.idempotency import Answer, IdempotencyKey, KeyHeader, once
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWork

PREFIX = "/v1/ops/dead-letters"

Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="Why, for whoever reads the audit",
        examples=["The provider is back"],
    ),
]


class BecauseIn(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Because")

    reason: Reason


async def _chassis(request: Request) -> Chassis:
    chassis: Chassis = request.app.state.chassis
    return chassis


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


ChassisOf = Annotated[Chassis, Depends(_chassis)]
DeskOf = Annotated[Desk, Depends(_desk)]

Change = Callable[[UnitOfWork, Decision], Awaitable[Answer]]


class Decider:
    """The caller with their idempotency key. `once(body, change)` makes the change and answers, or gives the first answer again."""

    def __init__(self, operation: str, chassis: Chassis, caller: Principal, idempotency_key: str | None) -> None:
        self._operation = operation
        self._chassis, self._caller, self._key = chassis, caller, idempotency_key

    async def once(self, body: BecauseIn, change: Change) -> Response:
        decision = Decision(self._caller.user_id, body.reason)
        key = IdempotencyKey.of(self._caller.user_id, self._key, self._operation, body)
        answer = await self._chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work, decision)))
        return answer.response()


async def _decider(request: Request, chassis: ChassisOf, caller: Caller, idempotency_key: KeyHeader = None) -> Decider:
    return Decider(f"POST {request.url.path}", chassis, caller, idempotency_key)


DeciderOf = Annotated[Decider, Depends(_decider)]
