"""HTTP in: what was mailed about a booking, for staff, and the way to mail it again."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.chassis import cursors, limits, problems
from services.chassis.cursors import LINKED, CursorNotValid
from services.chassis.idempotency import Answer, IdempotencyKeyReused
from services.chassis.staff import StaffOnly
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.dependencies import BecauseIn, ChangerOf, ChassisOf, RightsOf
from services.notifications.emails import copying, queries
from services.notifications.emails.copying import REFUSALS, EmailNotFound
from services.notifications.emails.listing import EmailFilters
from services.notifications.emails.representation import EmailDetailOut, EmailOut, EmailsOut, represent, represent_whole
from services.notifications.emails.tables import Email

router = APIRouter(
    prefix="/v1/emails",
    tags=["emails"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, StaffOnly),
)


@router.get("", response_model=EmailsOut, responses=LINKED | problems.responses(CursorNotValid))
async def list_emails(
    filters: Annotated[EmailFilters, Query()], rights: RightsOf, chassis: ChassisOf, response: Response
) -> dict[str, Any]:
    """Mails of the venues where the caller works: those of one booking, say, or those whose outcome is unknown."""
    async with chassis.database.sessions() as session:
        page, next_cursor = await queries.page(session, rights, filters)
    if next_cursor:
        response.headers["Link"] = cursors.link(router.prefix, filters, next_cursor)
    return {"items": [represent(email) for email in page], "next_cursor": next_cursor}


@router.get("/{email_id}", response_model=EmailDetailOut, responses=problems.responses(EmailNotFound))
async def read_email(email_id: UUID, rights: RightsOf, chassis: ChassisOf) -> dict[str, Any]:
    """One mail with what it says."""
    async with chassis.database.sessions() as session:
        email = await queries.visible(session, rights, email_id)
    if email is None:
        raise EmailNotFound("There is no such mail.", email_id=str(email_id))
    return represent_whole(email)


@router.post(
    "/{email_id}/resend",
    status_code=202,
    response_model=EmailOut,
    responses=problems.responses(EmailNotFound, *REFUSALS, IdempotencyKeyReused),
)
async def resend_email(
    email_id: UUID, body: BecauseIn, rights: RightsOf, changer: ChangerOf, request: Request
) -> Response:
    """Tell the same again, to the address and in the language that the reader has today. It is a mail of its own, and says who asked."""

    async def change(work: UnitOfWork) -> Answer:
        email = await copying.copy(work, rights, email_id, body.reason, request.app.state.letterhead)
        return _answer(email)

    return await changer.once(body, change)


def _answer(email: Email) -> Answer:
    told = EmailOut.model_validate(represent(email))
    return Answer(202, told.model_dump_json().encode(), {"Location": f"{router.prefix}/{email.id}"})
