"""HTTP in: Resend's webhooks. The signature is the authentication; an answer says nothing about us."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.chassis import problems
from services.chassis.service import Chassis
from services.notifications.webhooks import mutations
from services.notifications.webhooks.domain import SignatureNotValid, verify

router = APIRouter(tags=["webhooks"])


@router.post(
    "/webhooks/resend",
    status_code=202,
    response_class=Response,
    responses=problems.responses(SignatureNotValid),
)
async def receive_resend_webhook(request: Request) -> Response:
    """Take in a report of Resend, signed by Svix. 202 as soon as it is stored, duplicates and unknown types too."""
    body, webhook_id = await request.body(), request.headers.get("svix-id", "")
    verify(body, request.headers, request.app.state.resend_webhook_secrets)
    chassis: Chassis = request.app.state.chassis
    await chassis.unit_of_work.run(lambda work: mutations.store(work, webhook_id, body))
    return Response(status_code=202)
