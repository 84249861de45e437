"""Everything that is known of a run, collected once; the invariants are pure functions of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

from tests.faults.checker.history import Call, Fault, Sample
from tests.faults.checker.orders import Order, by_id
from tests.faults.checker.records import Place, Record
from tests.faults.checker.running import Poison, Run
from tests.faults.checker.spans import Spans

Row: TypeAlias = Mapping[str, Any]
Tables: TypeAlias = Mapping[str, Sequence[Row]]
"""By the table's name. Ids are strings, instants aware, ranges two columns `starts_at` and `ends_at`."""


@dataclass(frozen=True)
class Polar:
    """What the payment provider really did. `ledger` in the order of writing; `webhooks` are the ids of all that it ever told."""

    ledger: Sequence[Row] = ()
    requests: Sequence[Row] = ()
    webhooks: frozenset[str] = frozenset()
    pending_refunds: int = 0

    @cached_property
    def would_not_give_back(self) -> set[str]:
        """Orders of which a refund was refused, or failed later."""
        posts = [one for one in self.requests if one["method"] == "POST" and one["path"].rstrip("/") == "/v1/refunds"]
        refused = {str(parsed(one["body"]).get("order_id")) for one in posts if 400 <= one["status"] < 500}
        return refused | {entry["order_id"] for entry in self.ledger if entry["kind"] == "reversal"}


@dataclass(frozen=True)
class Resend:
    """What the mail provider really took. `mails` in the order of taking, each with its `tags` as a mapping."""

    mails: Sequence[Row] = ()
    webhooks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Log:
    """One line that says what must not be said."""

    file: str
    number: int
    line: str


@dataclass(frozen=True)
class Facts:
    run: Run
    databases: Mapping[str, Tables] = field(default_factory=dict)
    all_records: Sequence[Record] = ()
    committed: Mapping[str, Mapping[Place, int]] = field(default_factory=dict)
    """By consumer group and partition, both without the installation's prefix: the offset of the next record to be read."""
    ends: Mapping[Place, int] = field(default_factory=dict)
    polar: Polar = field(default_factory=Polar)
    resend: Resend = field(default_factory=Resend)
    history: Sequence[Call] = ()
    faults: Sequence[Fault] = ()
    samples: Sequence[Sample] = ()
    loud_lines: Sequence[Log] = ()
    availability: Sequence[Row] = ()
    """Answers of `GET /v1/availability?include=unavailable`, asked by the checker itself."""
    _faulty: dict[tuple[float, tuple[str, ...]], Spans] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def table(self, service: str, name: str) -> Sequence[Row]:
        return self.databases.get(service, {}).get(name, ())

    @cached_property
    def records(self) -> list[Record]:
        """By topic, partition and offset; without what the plan itself put there."""
        genuine = (record for record in self.all_records if not self._is_poison(record))
        return sorted(genuine, key=lambda record: (record.topic, record.partition, record.offset))

    @cached_property
    def poison(self) -> list[Record]:
        return [record for record in self.all_records if self._is_poison(record)]

    def on(self, topic: str) -> Sequence[Record]:
        return self._by_topic.get(topic, ())

    @cached_property
    def _by_topic(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(record.topic, []).append(record)
        return found

    @cached_property
    def events(self) -> dict[str, dict[int, Record]]:
        """Of each booking its versions, by the first record that told of them."""
        found: dict[str, dict[int, Record]] = {}
        for record in self.on("booking.events"):
            if record.version is not None:
                found.setdefault(record.key_text, {}).setdefault(record.version, record)
        return {key: dict(sorted(versions.items())) for key, versions in found.items()}

    @cached_property
    def bookings(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.table("booking", "bookings")}

    @property
    def _outbox(self) -> list[Row]:
        return [row for service in self.databases for row in self.table(service, "outbox")]

    @cached_property
    def waiting(self) -> set[tuple[str, str]]:
        """Topics and keys of what has not left yet."""
        return {(row["aggregatetype"], row["aggregateid"]) for row in self._outbox}

    @cached_property
    def waiting_types(self) -> set[str]:
        return {row["type"] for row in self._outbox}

    @cached_property
    def waiting_ids(self) -> set[str]:
        return {row["id"] for row in self._outbox}

    def is_newer_than_the_rows(self, service: str, record: Record | None) -> bool:
        """Told after this service's database was read: of a run that never came to rest."""
        instant = self.table(service, "instant")
        return bool(instant and record and record.time > instant[0]["at"])

    @cached_property
    def orders(self) -> dict[str, Order]:
        """By the provider's id."""
        return by_id(self.polar.ledger)

    @cached_property
    def left_to_a_person(self) -> set[str]:
        """Orders that staff are told of: money that fits nothing, and money that the provider would not give back."""
        doubted = {
            row["polar_order_id"] for row in self.table("payments", "quarantined_orders") if not row["settled_at"]
        }
        refunds = self.table("payments", "refunds")
        failed = {row["polar_order_id"] for row in refunds if row["state"] == "failed" and row["failure"]}
        return doubted | (failed & self.polar.would_not_give_back)

    @cached_property
    def profiles(self) -> dict[str, Record]:
        """Of each user the newest: a null value says that they were erased, and stands for ever. Older ones may come again behind it."""
        newest: dict[str, Record] = {}
        for record in self.on("user.profiles"):
            known = newest.get(record.key_text)
            if known is None or (known.value is not None and _newer(record, known)):
                newest[record.key_text] = record
        return newest

    @cached_property
    def players(self) -> set[str]:
        """Users whose calls are in the history: what happened to them must have been asked for there."""
        return {call.user for call in self.history if call.user}

    def was_under_fault(self, since: datetime, until: datetime, slack_seconds: float, *of: str) -> bool:
        """Whether a fault that may touch one of these parts struck then, or ended so shortly before that its effect may have lasted.

        Of no part in particular: any fault.
        """
        if (slack_seconds, of) not in self._faulty:
            may = (fault for fault in self.faults if fault.may_have_struck)
            faults = [fault for fault in may if not of or any(map(fault.may_touch, of))]
            self._faulty[slack_seconds, of] = Spans.of(faults, slack_seconds)
        return self._faulty[slack_seconds, of].meet(since, until)

    @cached_property
    def _poison(self) -> set[Poison]:
        return set(self.run.poison)

    def _is_poison(self, record: Record) -> bool:
        return Poison(record.topic, record.key, record.value) in self._poison


def parsed(text: str) -> Row:
    """Nothing, when it is no JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _newer(record: Record, known: Record) -> bool:
    return record.value is None or (record.version or 0) > (known.version or 0)
