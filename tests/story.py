"""How the spans of a booking tell its story: each step is the cause of the next, from the player's request to the mail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from tests.otlp import Receiver, Told

GIVE_UP_SECONDS = 60
Step: TypeAlias = tuple[str, str, str]
"""Service, kind and name of a span."""


async def trace_of(collector: Receiver, booking_id: str) -> list[Told]:
    """All spans of the trace in which this booking's mail went out, once they are there. Raises `TimeoutError`."""
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not (found := _sent(collector, booking_id)):  # noqa: ASYNC110 - spans come over HTTP, and wake nothing here
            await asyncio.sleep(0.05)
    return collector.of_trace(found[0].trace_id)


def _sent(collector: Receiver, booking_id: str) -> list[Told]:
    told = [
        span
        for span in collector.spans
        if span.kind == "producer"
        and span.attributes.get("kafka.message.key") == booking_id
        and span.attributes.get("courtside.event.type") == "notification.sent.v1"
    ]
    return [one for one in told if any(span.name == "POST /v1/bookings" for span in collector.of_trace(one.trace_id))]


def check(spans: Sequence[Told], *, polar_port: int, resend_port: int, prefix: str = "") -> None:
    """HTTP, outbox, payments, Polar, webhook, booking, notifications, Resend."""
    bookings, payments, webhooks = (f"{prefix}{name}" for name in TOPICS)
    held: list[Step] = [
        ("booking", "server", "POST /v1/bookings"),
        ("booking", "producer", f"send {bookings}"),
        ("payments", "consumer", f"process {bookings}"),
    ]
    paid: list[Step] = [
        *held,
        ("payments", "internal", "polar webhook"),
        ("payments", "producer", f"send {webhooks}"),
        ("payments", "consumer", f"process {webhooks}"),
    ]
    mailed: list[Step] = [
        *paid,
        ("payments", "producer", f"send {payments}"),
        ("booking", "consumer", f"process {payments}"),
        ("booking", "producer", f"send {bookings}"),
        ("notifications", "consumer", f"process {bookings}"),
    ]
    polar, resend = _calls(spans, "payments", polar_port), _calls(spans, "notifications", resend_port)
    assert [span for span in polar if span.name.startswith("POST") and _tells(_above(span, spans), held)]
    assert [span for span in polar if span.name.startswith("GET") and _tells(_above(span, spans), paid)]
    (mail,) = (span for span in resend if _tells(_above(span, spans), mailed))
    assert (mail.name.split()[0], mail.failed) == ("POST", False)
    known = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in known]
    assert [root.name for root in roots] == ["POST /v1/bookings"], "every other span has its parent in the trace"


TOPICS = ("booking.events", "payment.events", "payments.polar-webhooks")


def _calls(spans: Sequence[Told], service: str, port: int) -> list[Told]:
    """To a provider, by where it listens."""
    made = (span for span in spans if (span.service, span.kind) == (service, "client"))
    return [span for span in made if span.attributes.get("server.port") == port]


def _above(span: Told, spans: Sequence[Told]) -> list[Told]:
    """From the first cause to this span."""
    by_id, story = {one.span_id: one for one in spans}, [span]
    while parent := by_id.get(story[0].parent_id):
        story.insert(0, parent)
    return story


def _tells(story: Sequence[Told], wanted: Sequence[Step]) -> bool:
    """All of it, in this order; there may be more between."""
    steps = iter([(span.service, span.kind, span.name) for span in story])
    return all(step in steps for step in wanted)
