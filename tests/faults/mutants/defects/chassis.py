"""Defects of what every service is bolted on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.chassis import inbox, subscribing
from services.chassis.forwarding import Forwarder
from services.chassis.sending import Sender


def drop_outbox_rows() -> None:
    sent = Sender.send

    async def send(self: Sender, rows: Sequence[Any]) -> None:
        await sent(self, [row for row in rows if row["seq"] % 7])

    Sender.send = send  # type: ignore[method-assign]  # on purpose


def swap_versions() -> None:
    """A first event waits until the second of its booking is there, and goes behind it."""
    sent = Sender.send
    waiting: dict[str, Any] = {}

    async def send(self: Sender, rows: Sequence[Any]) -> None:
        go: list[Any] = []
        for row in rows:
            if row["type"] == "booking.held.v1":
                waiting[row["aggregateid"]] = row
            else:
                go.append(row)
                if (first := waiting.pop(row["aggregateid"], None)) is not None:
                    go.append(first)
        await sent(self, go)

    Sender.send = send  # type: ignore[method-assign]  # on purpose


def skip_inbox_inserts() -> None:
    claimed, count = inbox.claim, [0]

    async def claim(session: Any, group: str, event_ids: Sequence[str]) -> set[str]:
        count[0] += 1
        if count[0] % 5:
            return await claimed(session, group, event_ids)
        return set(event_ids)

    inbox.claim = claim


def drop_dead_letters() -> None:
    forwarded = Forwarder.forward

    async def forward(self: Forwarder, record: Any, hop: Any) -> str:
        return hop.topic if hop.topic.endswith(".dlt") else await forwarded(self, record, hop)

    Forwarder.forward = forward  # type: ignore[method-assign]  # on purpose


def commit_first() -> None:
    handled = subscribing.Subscription._on_batch

    async def on_batch(self: subscribing.Subscription, records: Any) -> None:
        if self.consumer is not None:
            await self.consumer.commit()
        await handled(self, records)

    subscribing.Subscription._on_batch = on_batch  # type: ignore[method-assign]  # on purpose


def retry_at_once() -> None:
    split = subscribing._split

    def none_waits(records: Any, now: float, delay_seconds: float) -> Any:
        del delay_seconds
        return split(records, now + 86_400, 0)

    subscribing._split = none_waits
