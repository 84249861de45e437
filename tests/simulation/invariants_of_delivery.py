"""I3 and I8: what was told reaches whoever reads it, in order, and each deals with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.simulation.facts import Facts

READS: Mapping[str, tuple[str, ...]] = {
    "booking": ("payment.checkout_opened.v1", "payment.succeeded.v1", "payment.refunded.v1"),
    "payments": (
        *("booking.held.v1", "booking.confirmed.v1", "booking.rescheduled.v1", "booking.cancelled.v1"),
        *("booking.expired.v1", "booking.completed.v1", "booking.refund_due.v1"),
        *("user.profile.v1", "payment.refund_requested.v1", "polar.webhook.v1"),
    ),
    "notifications": (
        *("booking.held.v1", "booking.confirmed.v1", "booking.rescheduled.v1", "booking.cancelled.v1"),
        *("booking.expired.v1", "booking.completed.v1", "booking.refund_due.v1"),
        *("user.profile.v1", "payment.refunded.v1", "payment.refund_failed.v1"),
        *("resend.webhook.v1", "notification.queued.v1"),
    ),
}
"""What each service must have dealt with."""


def nothing_is_lost(facts: Facts) -> Iterator[str]:
    """I3: versions count 1, 2, 3 on the topic, in this order, to that of the row; and nothing waits to be sent."""
    versions = defaultdict[str, list[int]](list)
    for said in facts.about("booking.events"):
        versions[said.key].append(said.body["version"])
    for row in facts.rows["booking.bookings"]:
        if versions[str(row["id"])] != list(range(1, row["version"] + 1)):
            yield f"booking {row['id']} is at version {row['version']}, and told of {versions[str(row['id'])]}"
    for service in READS:
        if waiting := facts.rows[f"{service}.outbox"]:
            yield f"{service} has {len(waiting)} events that it never sent"


def nothing_vanishes(facts: Facts) -> Iterator[str]:
    """I8: every record was dealt with by all who read it, none is on a retry tier, and none is a dead letter."""
    for group, lag in facts.lags.items():
        if lag:
            yield f"group {group} has {lag} records before it"
    for service, types in READS.items():
        done = {row["event_id"] for row in facts.rows[f"{service}.inbox"]}
        for said in facts.said:
            if said.type in types and not said.copy and _is_main(said.topic) and said.id not in done:
                yield f"{service} never dealt with {said.type} {said.id} of {said.key}"
        for said in facts.about(f"{service}.dlt"):
            yield f"{service} has a dead letter: {said.type} of {said.key}"


def _is_main(topic: str) -> bool:
    return ".retry." not in topic and not topic.endswith(".dlt")
