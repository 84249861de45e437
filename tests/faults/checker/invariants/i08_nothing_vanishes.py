"""I8: what a group has read is done, or waits in a retry topic and not for too long, or lies among the dead letters, on the topic and on
the desk. And nothing lies there but what the plan poisoned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from tests.faults.checker.facts import Facts
from tests.faults.checker.reading import HANDLED, READINGS, Reading, handled, is_dead_letter, is_retry, origin, read_by
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

TOMBSTONES = frozenset({"user.profile.v1"})


def examine(facts: Facts) -> Finding:
    wanted = list(read_by(facts))
    return Finding.of(
        len(wanted) + len(facts.poison),
        [*_vanished(facts, wanted), *_unexpected(facts), *_vanished_poison(facts), *_desk(facts)],
    )


def _vanished(facts: Facts, wanted: list[tuple[Reading, Record]]) -> Iterator[Violation]:
    done, elsewhere = handled(facts), _elsewhere(facts)
    for one, record in wanted:
        if (one.inbox, record.id) in done:
            continue
        where = {
            "group": one.group,
            "topic": record.topic,
            "offset": record.offset,
            "id": record.id,
            "type": record.type,
        }
        copies = elsewhere.get((one.inbox, record.id), [])
        if not copies:
            passed = facts.committed.get(one.group, {}).get(record.place, 0) > record.offset
            yield violation("vanished" if passed else "unseen", **where)
        elif not any(is_dead_letter(copy.topic) for copy in copies) and _is_overdue(facts, copies):
            yield violation("overdue retry", last_seen=max(copy.at for copy in copies), **where)


def _elsewhere(facts: Facts) -> dict[tuple[str, str], list[Record]]:
    """Copies on retry topics and among the dead letters, by service and event id."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in facts.records:
        if is_retry(record.topic) or is_dead_letter(record.topic):
            found[record.topic.split(".")[0], record.id].append(record)
    return found


def _is_overdue(facts: Facts, copies: list[Record]) -> bool:
    last = max(copies, key=lambda copy: copy.at)
    rules, now = facts.run.rules, facts.run.drained_at
    delay = rules.retry_delay_seconds.get(last.topic.rpartition(".")[2], 0)
    return now is not None and now > last.at + timedelta(seconds=delay + rules.idle_seconds)


def _unexpected(facts: Facts) -> Iterator[Violation]:
    poisoned = {(record.topic, str(record.partition), str(record.offset)) for record in facts.poison}
    values = {record.value for record in facts.poison if record.value is not None}
    for record in facts.records:
        if not is_dead_letter(record.topic) or record.id in facts.run.fatal_events:
            continue
        if origin(record, facts.run.topic_prefix) not in poisoned and record.value not in values:
            yield violation(
                "unexpected dead letter",
                topic=record.topic,
                id=record.id,
                type=record.type,
                error=f"{record.named.get('x-error-class')}: {record.named.get('x-error-message', '')[:200]}",
            )


def _vanished_poison(facts: Facts) -> Iterator[Violation]:
    died = {
        (record.topic.split(".")[0], *origin(record, facts.run.topic_prefix))
        for record in facts.all_records
        if is_dead_letter(record.topic)
    }
    for record in facts.poison:
        for service in sorted({one.inbox for one in READINGS if one.topic == record.topic}):
            place = (service, record.topic, str(record.partition), str(record.offset))
            if _must_die(record, service) and place not in died:
                yield violation("vanished poison", service=service, topic=record.topic, offset=record.offset)


def _must_die(record: Record, service: str) -> bool:
    """Only what is certain: no envelope, or a body that cannot be the event that it says it is."""
    if not record.is_well_formed:
        return True
    if record.type not in HANDLED[service]:
        return False
    if record.value is None:
        return record.type not in TOMBSTONES or not record.key
    return not record.body


def _desk(facts: Facts) -> Iterator[Violation]:
    """Each dead letter is a row, byte for byte, and each row a dead letter."""
    prefix = facts.run.topic_prefix
    rows = {
        (row["topic"].removeprefix(prefix), row["partition"], row["offset"]): row
        for name in facts.databases
        for row in facts.table(name, "dead_letters")
    }
    for record in facts.all_records:
        if not is_dead_letter(record.topic):
            continue
        row = rows.pop((record.topic, record.partition, record.offset), None)
        if row is None:
            yield violation("dead letter that the desk does not have", topic=record.topic, offset=record.offset)
        elif row["value"] != record.value and row["missing"] is None:
            yield violation("dead letter with other bytes", topic=record.topic, offset=record.offset)
    for topic, _, offset in rows:
        yield violation("row of no dead letter", topic=topic, offset=offset)
