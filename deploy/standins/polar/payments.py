"""Attempts to charge a card, declined ones included."""

import json

from deploy.standins.polar import shapes
from deploy.standins.polar.state import Document, Standin


def start(standin: Standin, checkout: Document, settles_after_s: float | None) -> None:
    payment = shapes.payment(standin, checkout)
    settles_at = None if settles_after_s is None else standin.clock.now() + settles_after_s
    standin.database.execute(
        "INSERT INTO payments (id, checkout_id, status, settles_at, doc) VALUES (?, ?, 'pending', ?, ?)",
        (payment["id"], checkout["id"], settles_at, json.dumps(payment)),
    )


def take_money(standin: Standin, checkout_id: str) -> None:
    """Before there is an order."""
    payment = _without_order(standin, checkout_id)
    payment["status"] = "succeeded"
    standin.save("payments", payment)


def succeed(standin: Standin, checkout_id: str, order_id: str) -> None:
    payment = _without_order(standin, checkout_id)
    payment.update(status="succeeded", order_id=order_id)
    standin.save("payments", payment)


def fail(standin: Standin, checkout_id: str) -> None:
    payment = _without_order(standin, checkout_id)
    payment.update(
        status="failed", decline_reason="card_declined", decline_message="Your card was declined. Try another card."
    )
    standin.save("payments", payment)


def due(standin: Standin) -> list[str]:
    """The checkouts whose charge has taken its time, also those that a killed process left behind."""
    overdue = "SELECT checkout_id FROM payments WHERE status = 'pending' AND settles_at <= ?"
    return [row["checkout_id"] for row in standin.database.rows(overdue, (standin.clock.now(),))]


def _without_order(standin: Standin, checkout_id: str) -> Document:
    payment_id = standin.database.value(
        "SELECT id FROM payments WHERE checkout_id = ? AND status <> 'failed'", (checkout_id,)
    )
    return standin.document("payments", payment_id)
