"""Defects of what every service is bolted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.chassis import inbox, subscribing
from services.chassis.forwarding import Forwarder
from services.chassis.sending import Sender
from services.chassis.subscribing import Subscription
from tests.faults.mutants.defects.replacing import every, replace

ONE_IN = 7
DAY_SECONDS = 86_400


def drop_outbox_rows() -> None:
    def make(sent: Any) -> Any:
        async def send(self: Sender, rows: Sequence[Any]) -> None:
            await sent(self, [row for row in rows if row["seq"] % ONE_IN])

        return send

    replace(Sender, "send", make)


def swap_versions() -> None:
    """A first event waits until the second of its booking is there, and goes behind it."""
    waiting: dict[str, Any] = {}

    def make(sent: Any) -> Any:
        async def send(self: Sender, rows: Sequence[Any]) -> None:
            go: list[Any] = []
            for row in rows:
                if row["type"] == "booking.held.v1":
                    waiting[row["aggregateid"]] = row
                    continue
                go.append(row)
                if (first := waiting.pop(row["aggregateid"], None)) is not None:
                    go.append(first)
            await sent(self, go)

        return send

    replace(Sender, "send", make)


def skip_inbox_inserts() -> None:
    it_is_time = every(5)

    def make(claimed: Any) -> Any:
        async def claim(session: Any, group: str, event_ids: Sequence[str]) -> set[str]:
            if it_is_time():
                return set(event_ids)
            new: set[str] = await claimed(session, group, event_ids)
            return new

        return claim

    replace(inbox, "claim", make)


def drop_dead_letters() -> None:
    def make(forwarded: Any) -> Any:
        async def forward(self: Forwarder, record: Any, hop: Any) -> Any:
            return hop.topic if hop.topic.endswith(".dlt") else await forwarded(self, record, hop)

        return forward

    replace(Forwarder, "forward", make)


def commit_first() -> None:
    def make(handled: Any) -> Any:
        async def on_batch(self: Subscription, records: Any) -> None:
            if self.consumer is not None:
                await self.consumer.commit()
            await handled(self, records)

        return on_batch

    replace(Subscription, "_on_batch", make)


def retry_at_once() -> None:
    def make(split: Any) -> Any:
        def none_waits(records: Any, now: float, delay_seconds: float) -> Any:
            del delay_seconds
            return split(records, now + DAY_SECONDS, 0)

        return none_waits

    replace(subscribing, "_split", make)
