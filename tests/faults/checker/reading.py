"""Which group reads which topic for which types of events, by the checker's own account. What is not named here is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.faults.checker.facts import Facts
from tests.faults.checker.records import Record
from tests.faults.checker.running import SERVICES


class Reading(NamedTuple):
    """`inbox` is the name under which the service marks what it has done; `group` has the offsets."""

    inbox: str
    group: str
    topic: str
    types: frozenset[str]


def _types(family: str, *facts: str) -> frozenset[str]:
    return frozenset(f"{family}.{fact}.v1" for fact in facts)


BOOKING = _types("booking", "held", "confirmed", "rescheduled", "cancelled", "expired", "completed", "refund_due")
PROFILE = _types("user", "profile")
READINGS = (
    Reading("booking", "booking", "payment.events", _types("payment", "checkout_opened", "succeeded", "refunded")),
    Reading("payments", "payments", "booking.events", BOOKING),
    Reading("payments", "payments", "payment.events", _types("payment", "refund_requested")),
    Reading("payments", "payments", "payments.polar-webhooks", _types("polar", "webhook")),
    Reading("payments", "payments.projections", "user.profiles", PROFILE),
    Reading("notifications", "notifications", "booking.events", BOOKING),
    Reading("notifications", "notifications", "payment.events", _types("payment", "refunded", "refund_failed")),
    Reading("notifications", "notifications", "notifications.resend-webhooks", _types("resend", "webhook")),
    Reading("notifications", "notifications.projections", "user.profiles", PROFILE),
    Reading("notifications", "notifications.paced", "notification.events", _types("notification", "queued")),
)
HANDLED: Mapping[str, frozenset[str]] = {
    service: frozenset().union(*(one.types for one in READINGS if one.inbox == service)) for service in SERVICES
}


def is_retry(topic: str) -> bool:
    return ".retry." in topic


def is_dead_letter(topic: str) -> bool:
    return topic.endswith(".dlt")


def handled(facts: Facts) -> set[tuple[str, str]]:
    """(group, event id) of all that is marked as done."""
    return {(row["consumer_group"], row["event_id"]) for name in facts.databases for row in facts.table(name, "inbox")}


def read_by(facts: Facts) -> Iterator[tuple[Reading, Record]]:
    """Each genuine record that a group must do something about."""
    for one in READINGS:
        for record in facts.on(one.topic):
            if record.type in one.types:
                yield one, record


def origin(record: Record, prefix: str) -> tuple[str, str, str]:
    """Topic, partition and offset at which a record of a retry topic or a dead letter was read first."""
    topic, partition, offset = (record.named.get(f"x-original-{part}", "") for part in ("topic", "partition", "offset"))
    return topic.removeprefix(prefix), partition, offset
