"""What the rows of the three databases say must have been told on Kafka: (topic, type) and the fields that such an event has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.checker.facts import Facts, Row

TAKEN = ("sent", "delayed", "delivered", "opened", "clicked", "bounced", "complained")


@dataclass(frozen=True)
class Told:
    """An event of this type has, under `field`, this value."""

    topic: str
    type: str
    field: str
    value: str


def expected(facts: Facts) -> Iterator[Told]:
    yield from _of_payments(facts)
    yield from _of_mails(facts)
    for row in facts.table("booking", "blocked_slots"):
        yield Told("court.events", "slot.blocked.v1", "blocked_slot_id", row["id"])


def _of_payments(facts: Facts) -> Iterator[Told]:
    def told(kind: str, field: str, value: str) -> Told:
        return Told("payment.events", f"payment.{kind}.v1", field, value)

    for attempt in facts.table("payments", "payment_attempts"):
        if attempt["checkout_id"]:
            yield told("checkout_opened", "attempt_id", attempt["id"])
    for order in facts.table("payments", "orders"):
        if not _was_gone_at_once(facts, order):
            yield told("succeeded", "order_id", order["polar_order_id"])
    for refund in facts.table("payments", "refunds"):
        if refund["origin"] != "polar":
            yield told("refund_requested", "refund_id", refund["id"])
        if refund["state"] == "succeeded" and refund["refunded_minor"]:
            yield told("refunded", "refund_id", refund["id"])
        if refund["state"] == "failed" and refund["failure"]:
            yield told("refund_failed", "refund_id", refund["id"])


def _was_gone_at_once(facts: Facts, order: Row) -> bool:
    """The provider had given all of it back before we heard of it: then there is no payment to tell of."""
    known = facts.orders.get(order["polar_order_id"])
    return known is not None and known.balance_at(order["recorded_at"]) <= 0


def _of_mails(facts: Facts) -> Iterator[Told]:
    for mail in facts.table("notifications", "emails"):
        if mail["was_written"]:
            yield Told("notification.events", "notification.queued.v1", "email_id", mail["id"])
        if mail["state"] in TAKEN:
            yield Told("notification.events", "notification.sent.v1", "email_id", mail["id"])
