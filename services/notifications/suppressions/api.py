"""HTTP in: the addresses that get no mail any more, for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.chassis import cursors, limits, problems
from services.chassis.cursors import LINKED, CursorNotValid
from services.chassis.idempotency import Answer, IdempotencyKeyReused
from services.chassis.staff import StaffOnly
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.dependencies import BecauseIn, ChangerOf, ChassisOf, RightsOf
from services.notifications.suppressions import mutations, queries
from services.notifications.suppressions.domain import Cause, SuppressionLifted, SuppressionNotFound
from services.notifications.suppressions.queries import SuppressionFilters
from services.notifications.suppressions.tables import SuppressionRow

router = APIRouter(
    prefix="/v1/suppressions",
    tags=["suppressions"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, StaffOnly),
)


class SuppressionOut(BaseModel):
    """`email_id` is the mail that showed it. What was lifted says by whom (the subject of their token) and why."""

    model_config = ConfigDict(title="Suppression", from_attributes=True)

    id: UUID
    address: str = Field(examples=["ana.ruiz@example.com"])
    cause: Cause
    email_id: UUID
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: UUID | None
    lift_reason: str | None


class SuppressionsOut(BaseModel):
    """The newest first."""

    model_config = ConfigDict(title="Suppressions")

    items: list[SuppressionOut]
    next_cursor: str | None


@router.get("", response_model=SuppressionsOut, responses=LINKED | problems.responses(CursorNotValid))
async def list_suppressions(
    filters: Annotated[SuppressionFilters, Query()], rights: RightsOf, chassis: ChassisOf, response: Response
) -> dict[str, Any]:
    """Addresses that bounced, or whose owner complained: no mail is sent to them until somebody lifts it."""
    async with chassis.database.sessions() as session:
        page, next_cursor = await queries.page(session, rights, filters)
    if next_cursor:
        response.headers["Link"] = cursors.link(router.prefix, filters, next_cursor)
    return {"items": page, "next_cursor": next_cursor}


@router.post(
    "/{suppression_id}/lift",
    response_model=SuppressionOut,
    responses=problems.responses(SuppressionNotFound, SuppressionLifted, IdempotencyKeyReused),
)
async def lift_suppression(suppression_id: UUID, body: BecauseIn, rights: RightsOf, changer: ChangerOf) -> Response:
    """Mail this address again from now on. Mails that were not sent meanwhile are not made up for: ask for each anew."""

    async def change(work: UnitOfWork) -> Answer:
        return _answer(await mutations.lift(work, suppression_id, rights, body.reason))

    return await changer.once(body, change)


def _answer(row: SuppressionRow) -> Answer:
    return Answer(200, SuppressionOut.model_validate(row).model_dump_json().encode())
