"""Levers and windows for tests and demonstrations. Resend has none of this."""

import json
import sqlite3
from typing import Annotated, get_args
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from deploy.standins.clock import iso
from deploy.standins.recording import recorded
from deploy.standins.resend import life, limits, mails, sending
from deploy.standins.resend.api import shown
from deploy.standins.resend.state import Document, TheOutbox, register_endpoint

router = APIRouter(prefix="/_admin")


@router.get("/emails")
async def read_emails(
    outbox: TheOutbox, to: str = "", tag: str = "", event: str = "", *, brief: bool = False
) -> Document:
    """In the order of sending. `?to=ana@club.example`, `?tag=booking_id:b1`, `?event=bounced` is the last one; `?brief=true` leaves
    out what is large: the parts and the attachments.
    """
    rows = mails.matching(outbox, to=to, tag=tag, event=event)
    return {"emails": [_brief(row) if brief else _whole(row) for row in rows], "count": len(rows)}


def _whole(row: sqlite3.Row) -> Document:
    return {**shown(row), **_brief(row), "attachments": json.loads(row["content"])["attachments"]}


def _brief(row: sqlite3.Row) -> Document:
    content = json.loads(row["content"])
    copied = {name: content.get(name) for name in ("to", "subject", "tags")}
    return {"id": row["id"], "idempotency_key": row["idempotency_key"], "last_event": row["last_event"], **copied}


@router.post("/emails/{email_id}/{event}")
async def let_happen(outbox: TheOutbox, email_id: UUID, event: life.MailEvent) -> Document:
    life.happen(outbox, str(email_id), event)
    return shown(sending.find(outbox, str(email_id)))


class FateOfAddress(BaseModel):
    to: str
    fate: life.Fate


@router.post("/fates")
async def tell_fate(outbox: TheOutbox, body: FateOfAddress) -> Document:
    """What becomes of all mails to this address from now on."""
    outbox.database.execute(
        "INSERT OR REPLACE INTO fates (address, fate) VALUES (?, ?)", (life.address_of(body.to), body.fate)
    )
    return body.model_dump()


@router.get("/suppressions")
async def read_suppressions(outbox: TheOutbox) -> Document:
    return {"suppressions": [dict(row) for row in outbox.database.rows("SELECT * FROM suppressions ORDER BY address")]}


@router.delete("/suppressions/{address}")
async def lift_suppression(outbox: TheOutbox, address: str) -> Document:
    lifted = outbox.database.execute("DELETE FROM suppressions WHERE address = ?", (address.casefold(),)).rowcount
    return {"lifted": lifted}


class Limits(BaseModel):
    rate_per_s: Annotated[int, Field(ge=0)] | None = None
    daily_quota: Annotated[int, Field(ge=0)] | None = None
    monthly_quota: Annotated[int, Field(ge=0)] | None = None


@router.post("/limits")
async def tell_limits(outbox: TheOutbox, body: Limits) -> Document:
    """Those that are named; 0 is no limit. Until the next reset."""
    for limit, value in body.model_dump(exclude_none=True).items():
        limits.tell(outbox, limit, value)
    return {limit: limits.most(outbox, limit) for limit in get_args(limits.Limit)}


@router.get("/requests")
async def read_requests(outbox: TheOutbox, limit: Annotated[int, Query(ge=1, le=5000)] = 200) -> Document:
    return {"requests": recorded(outbox.database, limit)}


@router.post("/reset")
async def reset(outbox: TheOutbox, request: Request) -> Document:
    """A new stand-in: an empty outbox, the clock is right again, and nothing of the old one is still on its way."""
    outbox.database.start_over()
    register_endpoint(outbox)
    await request.app.state.courier.finish()
    return {"now": iso(outbox.clock.now())}


class ClockMove(BaseModel):
    advance_s: Annotated[float, Field(ge=0)]


@router.post("/clock")
async def move_clock(outbox: TheOutbox, body: ClockMove) -> Document:
    now = outbox.clock.advance(body.advance_s)
    life.catch_up(outbox)
    outbox.hooks.work_to_do.set()
    return {"now": iso(now)}
