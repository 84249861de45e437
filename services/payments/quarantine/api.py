"""HTTP in: money that fits no payment, for those who must look at it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from services.chassis import cursors, limits, problems
from services.chassis.cursors import LINKED, CursorNotValid
from services.chassis.staff import StaffOnly
from services.payments.dependencies import ChassisOf, RightsOf
from services.payments.quarantine import queries
from services.payments.quarantine.listing import Filters
from services.payments.quarantine.representation import QuarantineOut, quarantined

router = APIRouter(
    prefix="/v1/quarantine",
    tags=["quarantine"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, StaffOnly),
)


@router.get("", response_model=QuarantineOut, responses=LINKED | problems.responses(CursorNotValid))
async def list_quarantine(
    filters: Annotated[Filters, Query()], chassis: ChassisOf, rights: RightsOf, response: Response
) -> dict[str, Any]:
    """Orders that were paid and confirm nothing. An admin sees also those that name no payment of ours."""
    async with chassis.database.sessions() as session:
        page, next_cursor = await queries.page(session, filters, None if rights.is_admin else rights.cover)
    if next_cursor:
        response.headers["Link"] = cursors.link("/v1/quarantine", filters, next_cursor)
    return {"items": [quarantined(row) for row in page], "next_cursor": next_cursor}
