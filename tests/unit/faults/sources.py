"""The sources of a run, made by hand: rows, records, books, calls, and the facts that a checker would collect from them."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from tests.faults.checker.facts import Facts, Log, Polar, Resend
from tests.faults.checker.history import Call, Fault, Sample
from tests.faults.checker.reading import READINGS
from tests.faults.checker.records import Place, Record
from tests.faults.checker.running import Poison, Rules, Run

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
FIRST_SLOT = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)
"""8:00 in Madrid; a week ahead, so anything may still be called off."""
SLOT = timedelta(minutes=90)
VENUE, COURT = "venue-1", "court-1"
PRICE = 3600
Rows = dict[str, Any]


def name(word: str) -> str:
    return str(uuid5(NAMESPACE_DNS, word))


@dataclass
class Sources:
    """What each of them says so far. Topics have one partition, and every group has read all."""

    tables: dict[str, dict[str, list[Rows]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    records: list[Record] = field(default_factory=list)
    ledger: list[Rows] = field(default_factory=list)
    requests: list[Rows] = field(default_factory=list)
    polar_webhooks: set[str] = field(default_factory=set)
    mails: list[Rows] = field(default_factory=list)
    history: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    loud_lines: list[Log] = field(default_factory=list)
    availability: list[Rows] = field(default_factory=list)
    run: Run = field(default_factory=lambda: Run(drained_at=NOW + timedelta(hours=1), rules=Rules()))
    moved_offsets: dict[tuple[str, Place], int] = field(default_factory=dict)
    """By group and partition, where a group is that is not at the end."""
    now: datetime = NOW
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        booking = self.tables["booking"]
        rules = {"time_zone": "Europe/Madrid", "currency": "EUR", "max_active_bookings": 2, "booking_horizon_days": 30}
        booking["venues"] = [{"id": VENUE, **rules}]
        hours = {"venue_id": VENUE, "opens": time(8), "closes": time(23)}
        booking["opening_hours"] = [hours | {"weekday": weekday} for weekday in range(7)]
        booking["courts"] = [{"id": COURT, "venue_id": VENUE, "slot_minutes": 90, "active": True}]
        always = {
            "starts": time(0),
            "ends": time(0),
            "weekdays": list(range(7)),
            "valid_from": None,
            "valid_until": None,
        }
        price = {"id": "rule-1", "venue_id": VENUE, "court_id": None, "price_minor": PRICE, "priority": 0, "role": None}
        booking["price_rules"] = [price | always]

    def tell_of(self, row: Rows, kind: str, **more: Any) -> Record:
        """One more version of a booking, as its row is now; notifications hears of it, and mails its news."""
        row["version"] += 1
        names = (
            "status",
            "court_id",
            "venue_id",
            "user_id",
            "price_minor",
            "currency",
            "cancellation_window_hours",
            "version",
        )
        instants = ("starts_at", "ends_at", "hold_expires_at")
        body = {
            "booking_id": row["id"],
            **{each: row[each] for each in names},
            "refunds_due": row["refunds_due"],
            **more,
        }
        body |= {each: row[each] and row[each].isoformat() for each in instants}
        record = self.tell("booking.events", kind, row["id"], body)
        mailed = {"held": "booking-held", "confirmed": "booking-confirmed", "rescheduled": "booking-rescheduled"}
        mailed |= {"expired": "booking-expired"}
        mail = (
            "court-closed"
            if more.get("cancelled_by") == "club"
            else mailed.get(kind.split(".")[1], "booking-cancelled")
        )
        self._follow(row, body)
        if kind != "booking.refund_due.v1":
            self.mail(mail, row, row["version"])
        return record

    def tell_of_money(self, row: Rows, kind: str, **body: Any) -> Record:
        told = {"booking_id": row["id"], "attempt_id": self._attempt(row)["id"], **body}
        return self.tell("payment.events", kind, row["id"], told)

    def tell(self, topic: str, kind: str, key: str, body: Rows | None) -> Record:
        """On the topic, and marked as done by whoever must do something about it."""
        self.now += timedelta(seconds=1)
        event_id = name(f"event {next(self.numbers)}")
        headers = {"ce_specversion": "1.0", "ce_id": event_id, "ce_type": kind, "ce_source": "/courtside"}
        record = self.append(topic, key, body, **headers, ce_time=self.now.isoformat())
        for one in READINGS:
            if one.topic == topic and kind in one.types:
                self.tables[one.inbox]["inbox"].append(
                    {"consumer_group": one.inbox, "event_id": event_id, "handled_at": self.now}
                )
        return record

    def append(self, topic: str, key: str | None, body: Any, **headers: str) -> Record:
        """Any record: bytes as they are, the rest as JSON."""
        value = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        offset = sum(record.topic == topic for record in self.records)
        told = tuple((header.replace("__", "-"), text.encode()) for header, text in headers.items())
        record = Record(topic, 0, offset, self.now, key.encode() if key is not None else None, value, told)
        self.records.append(record)
        return record

    def enter(self, kind: str, order_id: str, booking_id: str, amount: int, refund_id: str | None = None) -> None:
        told = {"kind": kind, "order_id": order_id, "amount": amount, "currency": "eur", "refund_id": refund_id}
        self.ledger.append(told | {"metadata": {"booking_id": booking_id}, "at": self.now.isoformat()})

    def ask_polar_for(self, refund: Rows, answered: str) -> None:
        asked = {"method": "POST", "path": "/v1/refunds/", "status": 201}
        body = {"metadata": {"refund_request_id": refund["id"]}}
        self.requests.append(asked | {"body": json.dumps(body), "answer": json.dumps({"id": answered})})

    def webhook(self, kind: str) -> Rows:
        webhook_id = name(f"webhook {next(self.numbers)}")
        self.polar_webhooks.add(webhook_id)
        record = self.tell("payments.polar-webhooks", "polar.webhook.v1", webhook_id, {"type": kind})
        row = {"id": record.id, "webhook_id": webhook_id, "type": kind}
        self.tables["payments"]["polar_webhooks"].append(row)
        return row

    def mail(self, kind: str, row: Rows, version: int, refund_id: str = "") -> Rows:
        """Written, told of, sent and told of."""
        email_id = name(f"mail {next(self.numbers)}")
        mail = {
            "id": email_id,
            "kind": kind,
            "booking_id": row["id"],
            "version": version,
            "refund_id": refund_id,
            "copy": 0,
        }
        mail |= {
            "user_id": row["user_id"],
            "state": "delivered",
            "provider_id": f"at resend {email_id}",
            "was_written": True,
        }
        mail |= {"created_at": self.now, "sent_at": self.now, "useless_after": None, "first_tried_at": None}
        self.tables["notifications"]["emails"].append(mail)
        told = {"booking_id": row["id"], "email_id": email_id, "kind": kind}
        self.tell("notification.events", "notification.queued.v1", row["id"], told)
        self.mails.append(
            {
                "id": f"at resend {email_id}",
                "idempotency_key": email_id,
                "created_at": mail["created_at"].isoformat(),
                "tags": {"email_id": email_id},
                "last_event": "delivered",
            }
        )
        self.tell("notification.events", "notification.sent.v1", row["id"], told)
        return mail

    def call(self, op: str, outcome: str = "ok", status: int = 200, answer: Any = None, **more: Any) -> Call:
        self.now += timedelta(seconds=1)
        ended = self.now + timedelta(milliseconds=20)
        self.history.append(Call(op, self.now, ended, outcome, status, answer, **more))
        return self.history[-1]

    def refused(self, op: str, status: int, code: str, **more: Any) -> Call:
        known = ("user", "key", "arguments")
        extras = {each: more.pop(each) for each in known if each in more}
        problem = {"type": "about", "title": "No", "status": status, "code": code, **more}
        return self.call(op, "fail", status, problem, **extras)

    def poison(self, topic: str, value: bytes = b"no event") -> Record:
        """Put there by the plan, and dead in each group that reads it."""
        record = self.append(topic, "poison", value)
        self.run = replace(self.run, poison=(*self.run.poison, Poison(topic, b"poison", value)))
        for service in sorted({one.inbox for one in READINGS if one.topic == topic}):
            self.bury(service, record)
        return record

    def bury(self, service: str, record: Record) -> Record:
        places = {
            "x__original__topic": record.topic,
            "x__original__partition": "0",
            "x__original__offset": str(record.offset),
        }
        kept = {each: text for each, text in record.named.items() if each.startswith("ce_")}
        letter = self.append(f"{service}.dlt", record.key_text, record.value, **kept, **places)
        row = {
            "id": name(f"letter {next(self.numbers)}"),
            "topic": letter.topic,
            "partition": 0,
            "offset": letter.offset,
        }
        row |= {"value": record.value, "missing": None, "error_class": "Fatal", "error_message": "no", "state": "open"}
        self.tables[service]["dead_letters"].append(row)
        return letter

    def facts(self) -> Facts:
        ends: dict[Place, int] = {}
        for record in self.records:
            ends[record.place] = max(ends.get(record.place, 0), record.offset + 1)
        groups = {(one.group, one.topic) for one in READINGS}
        groups |= {(topic, topic) for topic, _ in ends if ".retry." in topic or topic.endswith(".dlt")}
        committed: dict[str, dict[Place, int]] = defaultdict(dict)
        for group, topic in groups:
            if (topic, 0) in ends:
                committed[group][topic, 0] = ends[topic, 0]
        for (group, place), offset in self.moved_offsets.items():
            committed[group][place] = offset
        return Facts(
            run=self.run,
            databases={service: dict(self.tables[service]) for service in ("booking", "payments", "notifications")},
            all_records=list(self.records),
            committed=committed,
            ends=ends,
            polar=Polar(self.ledger, self.requests, frozenset(self.polar_webhooks)),
            resend=Resend(self.mails),
            history=self.history,
            faults=self.faults,
            samples=self.samples,
            loud_lines=self.loud_lines,
            availability=self.availability,
        )

    def row(self, service: str, table: str, **like: Any) -> Rows:
        rows = self.tables[service][table]
        return next(row for row in rows if all(row[column] == value for column, value in like.items()))

    def record(self, kind: str) -> Record:
        return next(record for record in self.records if record.type == kind)

    def bend(self, record: Record, **body: Any) -> None:
        """The same record with other facts in it."""
        value = json.dumps({**record.body, **body}).encode()
        self.records[self.records.index(record)] = replace(record, value=value)

    def lose(self, kind: str) -> None:
        self.records.remove(self.record(kind))

    def _attempt(self, row: Rows) -> Rows:
        return self.row("payments", "payment_attempts", booking_id=row["id"])

    def _follow(self, row: Rows, body: Rows) -> None:
        copies = self.tables["notifications"]["bookings"]
        copies[:] = [copy for copy in copies if copy["booking_id"] != row["id"]]
        news = {"version": row["version"], "news_version": row["version"], "status": row["status"]}
        copies.append({"booking_id": row["id"], "starts_at": row["starts_at"], "told": body, **news})
