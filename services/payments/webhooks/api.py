"""HTTP in: Polar's webhooks. The signature is the authentication; an answer says nothing about us."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.chassis.service import Chassis
from services.chassis.telemetry import continuing
from services.payments.webhooks.domain import parse, verify
from services.payments.webhooks.receipts import Receipt
from services.payments.webhooks.receiving import Receiving

router = APIRouter(tags=["webhooks"])


@router.post("/webhooks/polar", status_code=202, response_class=Response)
async def receive_polar_webhook(request: Request) -> Response:
    """Take in an event of Polar, signed as in Standard Webhooks. 202 as soon as it is stored, duplicates and unknown types too."""
    body, webhook_id = await request.body(), request.headers.get("webhook-id", "")
    verify(body, request.headers, request.app.state.polar_webhook_secrets)
    chassis: Chassis = request.app.state.chassis
    receiving: Receiving = request.app.state.receiving
    webhook = parse(body)
    with continuing(webhook.traceparent if webhook else None, "polar webhook"):
        await receiving.store(Receipt.of(webhook_id, webhook, body, chassis.clock.now()))
    return Response(status_code=202)
