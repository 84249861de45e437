"""Giving money back: at once, or pending for a while as with some banks."""

import json

from deploy.standins.polar import ledger, orders, shapes
from deploy.standins.polar.errors import InvalidInput, RefundedAlready, ResourceNotFound
from deploy.standins.polar.inputs import RefundCreate
from deploy.standins.polar.state import Document, Standin
from deploy.standins.polar.webhooks import announce


def create(standin: Standin, wanted: RefundCreate) -> Document:
    order = _order(standin, str(wanted.order_id))
    _check_amount(standin, order, wanted.amount)
    refund = shapes.refund(standin, order, wanted.amount, wanted.reason, wanted.metadata)
    pending_s = standin.settings.refund_s
    refund["status"] = "pending" if pending_s else "succeeded"
    with standin.database.transaction():
        standin.database.execute(
            "INSERT INTO refunds (id, order_id, status, settles_at, doc) VALUES (?, ?, ?, ?, ?)",
            (refund["id"], order["id"], refund["status"], standin.clock.now() + pending_s, json.dumps(refund)),
        )
        announce(standin, "refund.created", refund)
        if not pending_s:
            _move_money(standin, refund)
    return refund


def settle_due(standin: Standin) -> None:
    overdue = "SELECT id FROM refunds WHERE status = 'pending' AND settles_at <= ?"
    for row in standin.database.rows(overdue, (standin.clock.now(),)):
        refund = standin.document("refunds", row["id"])
        refund["status"] = "succeeded"
        with standin.database.transaction():
            standin.save("refunds", refund)
            announce(standin, "refund.updated", refund)
            _move_money(standin, refund)


def _move_money(standin: Standin, refund: Document) -> None:
    ledger.refund(standin, refund, standin.document("orders", refund["order_id"]))
    orders.give_back(standin, refund["order_id"], refund["amount"])


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
