"""What a successful charge becomes. `status` says what was given back since; `paid` stays true."""

import json
import uuid

from deploy.standins.polar import customers, ledger, shapes
from deploy.standins.polar.state import Document, Standin
from deploy.standins.polar.webhooks import announce


def place(standin: Standin, checkout: Document) -> Document:
    """Polar sends three events for one paid order; only `order.paid` means money."""
    buyer = customers.of(standin, checkout)
    number = 1 + standin.database.value("SELECT COUNT(*) FROM orders")
    order = {**shapes.order(standin, checkout, buyer, number), "id": id_of(checkout["id"])}
    standin.database.execute(
        "INSERT INTO orders (id, checkout_id, status, created_at, doc) VALUES (?, ?, 'paid', ?, ?)",
        (order["id"], checkout["id"], standin.clock.now(), json.dumps(order)),
    )
    if order["total_amount"] and not ledger.is_charged(standin, checkout["id"]):
        ledger.charge(standin, order)
    for event in ("order.created", "order.updated", "order.paid"):
        announce(standin, event, order)
    return order


def id_of(checkout_id: str) -> str:
    """Known before there is an order, since the ledger names the order of every charge."""
    return str(uuid.uuid5(uuid.UUID(checkout_id), "order"))


def give_back(standin: Standin, order_id: str, amount: int) -> None:
    _refunded(standin, order_id, amount)
    announce(standin, "order.refunded", standin.document("orders", order_id))


def take_again(standin: Standin, order_id: str, amount: int) -> None:
    """A refund that had gone through has failed after all."""
    _refunded(standin, order_id, -amount)


def _refunded(standin: Standin, order_id: str, more: int) -> None:
    order = standin.document("orders", order_id)
    refunded = order["refunded_amount"] + more
    status = "refunded" if refunded == order["net_amount"] else "partially_refunded" if refunded else "paid"
    order.update(status=status, refunded_amount=refunded, refundable_amount=order["net_amount"] - refunded)
    standin.save("orders", order)
    announce(standin, "order.updated", order)
