"""I3: every change that was committed is on its topic. Versions of a booking are 1..n without a gap, up to its row's; what other rows say
was told, was told. One version is one event, and one event is one set of bytes. What is still in an outbox is late, not lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.checker.expected_events import expected
from tests.faults.checker.facts import Facts
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

PUBLIC = ("booking.events", "court.events", "user.profiles", "payment.events", "notification.events")
WEBHOOKS = {
    ("payments", "polar_webhooks"): "payments.polar-webhooks",
    ("notifications", "resend_webhooks"): "notifications.resend-webhooks",
}


def examine(facts: Facts) -> Finding:
    return Finding.of(
        len(facts.bookings) + len(facts.records),
        [
            *_lost_versions(facts),
            *_lost_facts(facts),
            *_lost_profiles(facts),
            *_lost_webhooks(facts),
            *_contradicting(facts),
        ],
    )


def _lost_versions(facts: Facts) -> Iterator[Violation]:
    for booking_id, row in facts.bookings.items():
        told = facts.events.get(booking_id, {})
        for version in range(1, row["version"] + 1):
            if version not in told and ("booking.events", booking_id) not in facts.waiting:
                yield violation("lost-write", topic="booking.events", booking_id=booking_id, version=version)
    for booking_id, told in facts.events.items():
        known = facts.bookings.get(booking_id, {}).get("version", 0)
        for version, record in told.items():
            if version > known and not facts.is_newer_than_the_rows("booking", record):
                yield violation("told and not done", booking_id=booking_id, version=version, in_database=known)


def _lost_facts(facts: Facts) -> Iterator[Violation]:
    wanted = set(expected(facts))
    fields = {(each.type, each.field) for each in wanted}
    told = {
        (record.topic, kind, field, str(record.body.get(field)))
        for record in facts.records
        for kind, field in fields
        if record.type == kind
    }
    for each in sorted(wanted, key=lambda one: (one.type, one.value)):
        if (each.topic, each.type, each.field, each.value) not in told and each.type not in facts.waiting_types:
            yield violation("lost-write", topic=each.topic, type=each.type, **{each.field: each.value})


def _lost_profiles(facts: Facts) -> Iterator[Violation]:
    """The topic is compacted: of each user only the newest need be there."""
    for user in facts.table("booking", "users"):
        record = facts.profiles.get(user["id"])
        told = None if record is None or record.value is None else record.version
        if ("user.profiles", user["id"]) in facts.waiting or facts.is_newer_than_the_rows("booking", record):
            continue
        if record is None or told != (None if user["erased_at"] else user["version"]):
            yield violation("lost-write", topic="user.profiles", user_id=user["id"], version=user["version"], told=told)


def _lost_webhooks(facts: Facts) -> Iterator[Violation]:
    for (service, table), topic in WEBHOOKS.items():
        told = {record.id for record in facts.on(topic)}
        for row in facts.table(service, table):
            if row["id"] not in told and row["id"] not in facts.waiting_ids:
                yield violation("lost-write", topic=topic, id=row["id"], webhook_id=row["webhook_id"])


def _contradicting(facts: Facts) -> Iterator[Violation]:
    by_id: dict[tuple[str, str], Record] = {}
    versions: dict[tuple[str, int], str] = {}
    for record in facts.records:
        if record.topic not in PUBLIC:
            continue
        first = by_id.setdefault((record.topic, record.id), record)
        if (first.key, first.value) != (record.key, record.value):
            yield violation("inconsistent-offsets", topic=record.topic, id=record.id, offset=record.offset)
        if record.topic == "booking.events" and record.version is not None:
            known = versions.setdefault((record.key_text, record.version), record.id)
            if known != record.id:
                yield violation("two events of one version", booking_id=record.key_text, version=record.version)
