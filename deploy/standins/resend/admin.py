"""Levers and windows for tests and demonstrations. Resend has none of this."""

import json
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from deploy.standins.clock import iso
from deploy.standins.recording import recorded
from deploy.standins.resend import mails
from deploy.standins.resend.api import shown
from deploy.standins.resend.state import Document, TheOutbox

router = APIRouter(prefix="/_admin")


@router.get("/emails")
async def read_emails(outbox: TheOutbox, to: str = "", tag: str = "") -> Document:
    """Whole, attachments included, in the order of sending. `?to=ana@club.example`, `?tag=booking_id:b1`."""
    found = [
        {
            **shown(row),
            "idempotency_key": row["idempotency_key"],
            "attachments": json.loads(row["content"])["attachments"],
        }
        for row in mails.matching(outbox, to=to, tag=tag)
    ]
    return {"emails": found, "count": len(found)}


@router.get("/requests")
async def read_requests(outbox: TheOutbox, limit: Annotated[int, Query(ge=1, le=5000)] = 200) -> Document:
    return {"requests": recorded(outbox.database, limit)}


@router.post("/reset")
async def reset(outbox: TheOutbox) -> Document:
    """A new stand-in: an empty outbox, and the clock is right again."""
    outbox.database.start_over()
    return {"now": iso(outbox.clock.now())}


class ClockMove(BaseModel):
    advance_s: Annotated[float, Field(ge=0)]


@router.post("/clock")
async def move_clock(outbox: TheOutbox, body: ClockMove) -> Document:
    return {"now": iso(outbox.clock.advance(body.advance_s))}
