"""The endpoints of a stand-in and the events for them. The bytes and the id of an event stay the same over every attempt."""

import asyncio
import json
import sqlite3
import uuid
from dataclasses import dataclass, field
from typing import Any

from deploy.standins.clock import Clock
from deploy.standins.database import Database
from deploy.standins.faults import Faults, Strike
from deploy.standins.webhooks.faults import FaultOfAttempt, FaultOfEvent, NewEvent, Reorder, Shape, WebhookFault
from deploy.standins.webhooks.policy import Policy


@dataclass
class Hooks:
    database: Database
    clock: Clock
    policy: Policy
    faults: Faults[WebhookFault] = field(init=False)
    work_to_do: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something may be due: the courier need not wait for its next look."""

    def __post_init__(self) -> None:
        self.faults = Faults("webhook", Shape, self.database, self.clock)

    def announce(self, event_type: str, envelope: dict[str, Any]) -> None:
        """Part of the transaction that changed what it tells of: fact and event are written together or not at all."""
        for endpoint in self.database.rows("SELECT id, events FROM webhook_endpoints WHERE enabled"):
            if event_type in endpoint["events"].split():
                self._announce_to(endpoint["id"], NewEvent(event_type, json.dumps(envelope), self.clock.now()))

    def register(self, endpoint_id: str, url: str, secret: str, events: str, signing: str = "standard") -> None:
        """An endpoint that is known keeps its events and its history when its address changes."""
        self.database.execute(
            "INSERT INTO webhook_endpoints (id, url, secret, events, signing, enabled, created_at) VALUES (?, ?, ?, ?, ?, 1, ?) "
            "ON CONFLICT (id) DO UPDATE SET url = excluded.url, secret = excluded.secret, events = excluded.events, "
            "signing = excluded.signing",
            (endpoint_id, url, secret, events, signing, self.clock.now()),
        )

    def switch(self, endpoint_id: str, *, enabled: bool) -> bool:
        """What failed before an endpoint is enabled is no more held against it. False when there is no such endpoint."""
        return bool(
            self.database.execute(
                "UPDATE webhook_endpoints SET enabled = ?, enabled_at = ? WHERE id = ?",
                (enabled, self.clock.now(), endpoint_id),
            ).rowcount
        )

    def redeliver(self, event_id: str) -> bool:
        """All its attempts anew, beginning now, also for an endpoint that was disabled. False when there is no such event."""
        found = self.database.execute(
            "UPDATE webhook_events SET state = 'pending', attempts = 0, held_by = NULL, next_attempt_at = ?, "
            "first_attempt_at = COALESCE(first_attempt_at, created_at) WHERE id = ?",
            (self.clock.now(), event_id),
        ).rowcount
        self.work_to_do.set()
        return bool(found)

    def spoiling(self, event: sqlite3.Row) -> FaultOfAttempt | None:
        """What goes wrong with the attempt that begins now."""
        strike = self._strike(FaultOfAttempt, event["type"], event["payload"])
        return strike.fault if strike and isinstance(strike.fault, FaultOfAttempt) else None

    def let_go(self) -> None:
        """What is held until it can go in another order goes in its own."""
        self.database.execute(
            "UPDATE webhook_events SET held_by = NULL, next_attempt_at = ? WHERE held_by IS NOT NULL",
            (self.clock.now(),),
        )
        self.work_to_do.set()

    def _announce_to(self, endpoint_id: str, event: NewEvent) -> None:
        strike = self._strike(FaultOfEvent, event.type, event.payload)
        fault = strike.fault if strike else None
        holder = strike.id if strike and isinstance(fault, Reorder) else None
        for each in fault.spoilt(event) if isinstance(fault, FaultOfEvent) else [event]:
            self._write(endpoint_id, each, holder)
        if strike and isinstance(fault, Reorder) and strike.number == fault.next:
            self._release(strike.id, fault)
        self.work_to_do.set()

    def _write(self, endpoint_id: str, event: NewEvent, held_by: int | None) -> None:
        row = (event.id, endpoint_id, event.type, event.payload, self.clock.now(), event.state, event.next_attempt_at)
        self.database.execute(
            "INSERT INTO webhook_events (id, endpoint_id, type, payload, created_at, state, next_attempt_at, attempts, held_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (*row, held_by),
        )

    def _strike(self, kind: type[WebhookFault], event_type: str, payload: str) -> Strike[WebhookFault] | None:
        return self.faults.next(lambda fault: isinstance(fault, kind) and fault.match.fits(event_type, payload))

    def _release(self, fault_id: int, fault: Reorder) -> None:
        rows = self.database.rows("SELECT seq FROM webhook_events WHERE held_by = ? ORDER BY seq", (fault_id,))
        seqs = [row["seq"] for row in rows]
        for seq, place in zip(seqs, fault.reordered(seqs), strict=True):
            self.database.execute(
                "UPDATE webhook_events SET place = ?, held_by = NULL, next_attempt_at = ? WHERE seq = ?",
                (place, self.clock.now(), seq),
            )
        self.work_to_do.set()


def new_id() -> str:
    return str(uuid.uuid4())
