"""Levers and windows for tests and demonstrations. Polar has none of this."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from deploy.standins.clock import iso
from deploy.standins.polar import checkouts, ledger, refunds
from deploy.standins.polar.inputs import EmailAddress, Metadata
from deploy.standins.polar.listing import metadata_asked
from deploy.standins.polar.parts import Standin
from deploy.standins.polar.state import Document
from deploy.standins.polar.timekeeper import catch_up
from deploy.standins.polar.webhooks import register_endpoint
from deploy.standins.recording import recorded

router = APIRouter(prefix="/_admin")

ENDS: dict[str, refunds.End] = {"succeed": "succeeded", "fail": "failed", "cancel": "canceled"}


@router.get("/checkouts/{client_secret}")
async def read_checkout(standin: Standin, client_secret: str) -> Document:
    """By the last part of its page's address, which is all that a player has."""
    return standin.document("checkouts", client_secret, "client_secret")


@router.post("/checkouts/{checkout_id}/pay")
async def pay(standin: Standin, checkout_id: str, email: EmailAddress | None = None) -> Document:
    return await checkouts.pay(standin, checkout_id, email)


@router.post("/checkouts/{checkout_id}/confirm")
async def confirm(standin: Standin, checkout_id: str, email: EmailAddress | None = None) -> Document:
    """Pay pressed, and the bank never answers by itself: `settle` or `decline` does it."""
    with standin.confirming(checkout_id):
        return checkouts.confirm(standin, checkout_id, email=email)


@router.post("/checkouts/{checkout_id}/settle")
async def settle(standin: Standin, checkout_id: str) -> Document:
    return checkouts.settle(standin, checkout_id)


@router.post("/checkouts/{checkout_id}/charge-without-order")
async def charge_without_order(standin: Standin, checkout_id: str) -> Document:
    """Only Polar's list of payments tells of it, until `settle`."""
    return checkouts.charge_without_order(standin, checkout_id)


@router.post("/checkouts/{checkout_id}/decline")
async def decline(standin: Standin, checkout_id: str) -> Document:
    return checkouts.decline(standin, checkout_id)


@router.post("/checkouts/{checkout_id}/expire")
async def expire(standin: Standin, checkout_id: str) -> Document:
    return checkouts.expire(standin, checkout_id)


@router.post("/refunds/{refund_id}/{end}")
async def end_refund(standin: Standin, refund_id: str, end: Literal["succeed", "fail", "cancel"]) -> Document:
    """A pending one ends so; one that had succeeded can still `fail` or be taken back by `cancel`."""
    return refunds.end(standin, refund_id, ENDS[end])


class Edited(BaseModel):
    amount: Annotated[int, Field(ge=0)] | None = None
    currency: str | None = None
    product_id: UUID | None = None
    metadata: Metadata | None = None


@router.post("/checkouts/{checkout_id}/edit")
async def edit(standin: Standin, checkout_id: str, body: Edited) -> Document:
    """What is asked for is not what was quoted: a discount, a price that was edited, somebody else's metadata."""
    return checkouts.edit(standin, checkout_id, body.model_dump(mode="json", exclude_none=True))


class UnaskedRefund(BaseModel):
    amount: Annotated[int, Field(gt=0)] | None = None
    reason: str = "dispute_prevention"
    pending_s: Annotated[float, Field(ge=0)] | None = 0.0


@router.post("/orders/{order_id}/refund")
async def refund_unasked(standin: Standin, order_id: str, body: UnaskedRefund | None = None) -> Document:
    """Polar gives the money back on its own. Minor units; all that is left when no amount is given."""
    told = body or UnaskedRefund()
    course = refunds.Course(told.pending_s, "succeeded")
    return refunds.start_unasked(standin, order_id, told.amount, told.reason, course)


@router.get("/ledger")
async def read_ledger(standin: Standin, request: Request, booking_id: str | None = None) -> Document:
    """Filters: `?metadata[booking_id]=b1`, or in short `?booking_id=b1`."""
    wanted = metadata_asked(request) | ({"booking_id": booking_id} if booking_id else {})
    entries = ledger.entries(standin, wanted)
    kinds = [entry["kind"] for entry in entries]
    signed = [entry["amount"] * (-1 if entry["kind"] == "refund" else 1) for entry in entries]
    return {
        "entries": entries,
        "charges": kinds.count("charge"),
        "refunds": kinds.count("refund"),
        "reversals": kinds.count("reversal"),
        "balance_minor": sum(signed),
    }


@router.get("/state")
async def read_state(standin: Standin) -> Document:
    counted = {table: _by(standin, table, "status") for table in ("checkouts", "payments", "orders", "refunds")}
    endpoints = standin.database.rows("SELECT id, url, enabled FROM webhook_endpoints")
    return {
        "now": standin.now_iso(),
        **counted,
        "ledger": _by(standin, "ledger", "kind"),
        "webhook_events": _by(standin, "webhook_events", "state"),
        "webhook_endpoints": [{**dict(row), "enabled": bool(row["enabled"])} for row in endpoints],
    }


@router.get("/requests")
async def read_requests(standin: Standin, limit: Annotated[int, Query(ge=1, le=5000)] = 200) -> Document:
    return {"requests": recorded(standin.database, limit)}


@router.post("/reset")
async def reset(standin: Standin, request: Request) -> Document:
    """A new stand-in: empty books, the clock is right again, and nothing of the old one is still on its way."""
    standin.database.start_over()
    register_endpoint(standin)
    await request.app.state.courier.finish()
    return {"now": standin.now_iso()}


class ClockMove(BaseModel):
    advance_s: Annotated[float, Field(ge=0)]


@router.post("/clock")
async def move_clock(standin: Standin, body: ClockMove) -> Document:
    """What falls due by the move is done before the answer; webhooks that fall due leave right after it."""
    now = standin.clock.advance(body.advance_s)
    catch_up(standin)
    standin.hooks.work_to_do.set()
    return {"now": iso(now)}


def _by(standin: Standin, table: str, column: str) -> dict[str, int]:
    counted = f"SELECT {column}, COUNT(*) FROM {table} GROUP BY {column}"  # noqa: S608 - our own names
    return {row[0]: row[1] for row in standin.database.rows(counted)}
