"""I11: on its topic, each version of one key comes first before the next one does. Repetitions may come at any time."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.checker.facts import Facts
from tests.faults.checker.verdict import Finding, Violation, violation

VERSIONED = ("booking.events", "user.profiles")
KEYED = ("booking.events", "court.events", "user.profiles", "payment.events", "notification.events")


def examine(facts: Facts) -> Finding:
    return Finding.of(len(facts.events), [*_out_of_order(facts), *_in_two_partitions(facts)])


def _out_of_order(facts: Facts) -> Iterator[Violation]:
    for topic in VERSIONED:
        highest: dict[str, int] = {}
        seen: set[str] = set()
        for record in facts.on(topic):
            if record.version is None or record.id in seen:
                continue
            seen.add(record.id)
            before = highest.get(record.key_text, 0)
            if record.version <= before:
                where = {"key": record.key_text, "offset": record.offset, "version": record.version}
                yield violation("out of order", topic=topic, after_version=before, **where)
            highest[record.key_text] = max(before, record.version)


def _in_two_partitions(facts: Facts) -> Iterator[Violation]:
    for topic in KEYED:
        partition: dict[bytes | None, int] = {}
        for record in facts.on(topic):
            if partition.setdefault(record.key, record.partition) != record.partition:
                yield violation("key in two partitions", topic=topic, key=record.key_text, offset=record.offset)
