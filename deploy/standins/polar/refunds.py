"""Giving money back: at once, pending for a while as with some banks, or not at all in the end."""

import json
from typing import Literal, NamedTuple

from deploy.standins.polar import ledger, orders, shapes
from deploy.standins.polar.errors import InvalidInput, NotPermitted, RefundedAlready, ResourceNotFound
from deploy.standins.polar.inputs import RefundCreate
from deploy.standins.polar.state import Document, Standin
from deploy.standins.polar.webhooks import announce

End = Literal["succeeded", "failed", "canceled"]


class Course(NamedTuple):
    """How long a refund is pending (None: until a lever is pulled, 0: not at all), and how it ends."""

    pending_s: float | None
    ends: End


def create(standin: Standin, wanted: RefundCreate, course: Course) -> Document:
    order = _order(standin, str(wanted.order_id))
    _check_amount(standin, order, wanted.amount)
    return _start(standin, shapes.refund(standin, order, wanted.amount, wanted.reason, wanted.metadata), course)


def start_unasked(standin: Standin, order_id: str, amount: int | None, reason: str, course: Course) -> Document:
    """By Polar itself, without anybody's request: to prevent a dispute. All that is left when no amount is given."""
    order = standin.document("orders", order_id)
    amount = order["refundable_amount"] if amount is None else amount
    _check_amount(standin, order, amount)
    return _start(standin, shapes.refund(standin, order, amount, reason, {}), course)


def settle_due(standin: Standin) -> None:
    overdue = "SELECT id, ends FROM refunds WHERE status = 'pending' AND settles_at <= ?"
    for row in standin.database.rows(overdue, (standin.clock.now(),)):
        end(standin, row["id"], row["ends"])


def end(standin: Standin, refund_id: str, status: End) -> Document:
    """A pending refund ends; one that had succeeded fails after all, and the money is the shop's again. Else NotPermitted."""
    refund = standin.document("refunds", refund_id)
    before = refund["status"]
    if before != "pending" and (before, status) not in {("succeeded", "failed"), ("succeeded", "canceled")}:
        raise NotPermitted
    refund["status"] = status
    with standin.database.transaction():
        standin.save("refunds", refund)
        announce(standin, "refund.updated", refund)
        if status == "succeeded":
            _move_money(standin, refund)
        elif before == "succeeded":
            _move_money_back(standin, refund)
    return refund


def _start(standin: Standin, refund: Document, course: Course) -> Document:
    now = standin.clock.now()
    settles_at = None if course.pending_s is None else now + course.pending_s
    refund["status"] = course.ends if settles_at == now else "pending"
    with standin.database.transaction():
        standin.database.execute(
            "INSERT INTO refunds (id, order_id, status, settles_at, ends, doc) VALUES (?, ?, ?, ?, ?, ?)",
            (refund["id"], refund["order_id"], refund["status"], settles_at, course.ends, json.dumps(refund)),
        )
        announce(standin, "refund.created", refund)
        if refund["status"] == "succeeded":
            _move_money(standin, refund)
    return refund


def _move_money(standin: Standin, refund: Document) -> None:
    ledger.refund(standin, refund, standin.document("orders", refund["order_id"]))
    orders.give_back(standin, refund["order_id"], refund["amount"])


def _move_money_back(standin: Standin, refund: Document) -> None:
    ledger.reverse(standin, refund, standin.document("orders", refund["order_id"]))
    orders.take_again(standin, refund["order_id"], refund["amount"])


def _order(standin: Standin, order_id: str) -> Document:
    try:
        return standin.document("orders", order_id)
    except ResourceNotFound:
        raise InvalidInput("body", "order_id", msg="Order not found") from None


def _check_amount(standin: Standin, order: Document, amount: int) -> None:
    if order["refundable_amount"] == 0:
        raise RefundedAlready
    pending = standin.database.value(
        "SELECT COALESCE(SUM(json_extract(doc, '$.amount')), 0) FROM refunds WHERE order_id = ? AND status = 'pending'",
        (order["id"],),
    )
    refundable = order["refundable_amount"] - pending
    if amount > refundable:
        raise InvalidInput("body", "amount", msg=f"Refund amount exceeds refundable amount: {refundable}")
