"""I10: no group is ahead of its log, and none has passed a record that it has not handled, routed on, or had no business with."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.checker.facts import Facts
from tests.faults.checker.reading import handled, is_dead_letter, is_retry, read_by
from tests.faults.checker.verdict import Finding, Violation, violation


def examine(facts: Facts) -> Finding:
    places = sum(len(offsets) for offsets in facts.committed.values())
    return Finding.of(places, [*_ahead(facts), *_skipped(facts), *_skipped_retries(facts)])


def _ahead(facts: Facts) -> Iterator[Violation]:
    for group, offsets in facts.committed.items():
        for place, offset in offsets.items():
            if offset > facts.ends.get(place, 0):
                yield violation(
                    "ahead of the log", group=group, place=place, committed=offset, end=facts.ends.get(place)
                )


def _skipped(facts: Facts) -> Iterator[Violation]:
    accounted = handled(facts) | _routed(facts)
    for one, record in read_by(facts):
        passed = record.offset < facts.committed.get(one.group, {}).get(record.place, 0)
        if passed and (one.inbox, record.id) not in accounted:
            yield violation("skipped", group=one.group, place=record.place, offset=record.offset, id=record.id)


def _skipped_retries(facts: Facts) -> Iterator[Violation]:
    """A retry tier's group is named like its topic; what it has passed is done, or a step further on the ladder."""
    done = handled(facts)
    furthest: dict[tuple[str, str], tuple[int, int]] = {}
    for record in facts.records:
        if is_retry(record.topic) or is_dead_letter(record.topic):
            key = (record.topic.split(".")[0], record.id)
            furthest[key] = max(furthest.get(key, (0, 0)), (record.attempt, int(record.at.timestamp() * 1000)))
    for record in facts.records:
        if not is_retry(record.topic):
            continue
        service = record.topic.split(".")[0]
        passed = record.offset < facts.committed.get(record.topic, {}).get(record.place, 0)
        is_last = furthest[service, record.id] == (record.attempt, int(record.at.timestamp() * 1000))
        if passed and is_last and (service, record.id) not in done:
            yield violation("skipped", group=record.topic, place=record.place, offset=record.offset, id=record.id)


def _routed(facts: Facts) -> set[tuple[str, str]]:
    elsewhere = (record for record in facts.records if is_retry(record.topic) or is_dead_letter(record.topic))
    return {(record.topic.split(".")[0], record.id) for record in elsewhere}
