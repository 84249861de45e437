"""Resend's API: sending, and looking at what was sent."""

import json
from json import JSONDecodeError
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request

from deploy.standins.clock import iso
from deploy.standins.resend import life, sending
from deploy.standins.resend.errors import InvalidMail, ResendError
from deploy.standins.resend.state import Document, TheOutbox

router = APIRouter(prefix="/emails")

IdempotencyKey = Annotated[str | None, Header()]


@router.post("")
async def send(outbox: TheOutbox, request: Request, idempotency_key: IdempotencyKey = None) -> Document:
    body = await _body(request)
    return await sending.once(outbox, idempotency_key, body, lambda: sending.accept_one(outbox, body, idempotency_key))


@router.post("/batch")
async def send_batch(
    outbox: TheOutbox,
    request: Request,
    idempotency_key: IdempotencyKey = None,
    x_batch_validation: Annotated[str, Header()] = "strict",
) -> Document:
    body, permissive = await _body(request), x_batch_validation == "permissive"

    def accept() -> Document:
        return sending.accept_batch(outbox, body, idempotency_key, permissive=permissive)

    return await sending.once(outbox, idempotency_key, body, accept)


@router.get("")
async def list_emails(outbox: TheOutbox, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Document:
    life.catch_up(outbox)
    rows = outbox.database.rows("SELECT * FROM emails ORDER BY seq DESC LIMIT ?", (limit + 1,))
    return {"object": "list", "has_more": len(rows) > limit, "data": [shown(row) for row in rows[:limit]]}


@router.get("/{email_id}")
async def get_email(outbox: TheOutbox, email_id: UUID) -> Document:
    return shown(sending.find(outbox, str(email_id)))


@router.patch("/{email_id}")
async def reschedule(outbox: TheOutbox, request: Request, email_id: UUID) -> Document:
    body = await _body(request)
    sending.reschedule(outbox, str(email_id), body.get("scheduled_at") if isinstance(body, dict) else None)
    return {"object": "email", "id": str(email_id)}


@router.post("/{email_id}/cancel")
async def cancel(outbox: TheOutbox, email_id: UUID) -> Document:
    sending.cancel(outbox, str(email_id))
    return {"object": "email", "id": str(email_id)}


def shown(row: Any) -> Document:
    """As `GET /emails/{id}` gives it: without the attachments."""
    content = json.loads(row["content"])
    copied = ("from", "to", "cc", "bcc", "reply_to", "subject", "html", "text", "headers", "tags")
    return {
        "object": "email",
        "id": row["id"],
        "message_id": life.message_id(row["id"]),
        "created_at": iso(row["created_at"]),
        "last_event": row["last_event"],
        "scheduled_at": None if row["scheduled_at"] is None else iso(row["scheduled_at"]),
        **{name: content.get(name) for name in copied},
    }


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (JSONDecodeError, UnicodeDecodeError):
        raise ResendError("The request body is not valid JSON.") from None


def invalid_path_or_query(place: str) -> InvalidMail:
    return InvalidMail(f"The `{place}` must be a valid UUID." if place == "id" else f"The `{place}` is invalid.")
