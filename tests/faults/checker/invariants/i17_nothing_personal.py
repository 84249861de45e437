"""I17: no address, no name and no secret on any topic, in any dead letter, in any log. Profiles have a topic of their own, and what a
provider sent us is kept as it came.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.checker.facts import Facts
from tests.faults.checker.logs import is_loud
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

PERSONAL_TOPICS = ("user.profiles", "payments.polar-webhooks", "notifications.resend-webhooks")
PERSONAL_TYPES = ("user.profile.v1", "polar.webhook.v1", "resend.webhook.v1")
"""These keep what they are on a retry topic and among the dead letters, read by their own service alone and erased with their user."""


def examine(facts: Facts) -> Finding:
    planted = {record.value for record in facts.poison}
    checked = [
        record for record in facts.all_records if record.topic not in PERSONAL_TOPICS and record.value not in planted
    ]
    return Finding.of(
        len(checked),
        [
            *(each for record in checked for each in _of_record(facts, record)),
            *_of_letters(facts),
            *(
                violation("personal data in a log", file=one.file, line=one.number, says=one.line)
                for one in facts.loud_lines
            ),
        ],
    )


def _of_record(facts: Facts, record: Record) -> Iterator[Violation]:
    where = {"topic": record.topic, "offset": record.offset, "type": record.type}
    headers = b"\n".join(name.encode() + b": " + (value or b"") for name, value in record.headers)
    if is_loud(headers.decode(errors="replace"), facts.run.canaries):
        yield violation("personal data in a header", **where)
    value = (record.value or b"").decode(errors="replace")
    if record.type not in PERSONAL_TYPES and is_loud(value, facts.run.canaries):
        yield violation("personal data in a record", **where)


def _of_letters(facts: Facts) -> Iterator[Violation]:
    for service in facts.databases:
        for row in facts.table(service, "dead_letters"):
            if is_loud(f"{row['error_class']} {row['error_message']}", facts.run.canaries):
                yield violation("personal data in a dead letter", service=service, id=row["id"])
