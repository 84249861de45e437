"""j. Polar's webhooks: fifty deliveries at a time, each signed, stored with its outbox row and answered 202."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

from standardwebhooks import Webhook

from tests.bench import load
from tests.bench.bench import Bench
from tests.bench.lines import Line, at_most
from tests.bench.rounds import Series

CLIENTS = 50
NAME = "payments-api"
WEBHOOKS_A_SECOND = 6_000
"""More than are answered."""


async def measure(bench: Bench) -> list[Line]:
    stack = bench.stack
    await stack.start_kafka()
    await stack.install()
    url = await stack.start("payments", "api", name=NAME, PAYMENTS_ENVIRONMENT="local")
    try:
        await _deliver(bench, url)
        delivered = [await _deliver(bench, url) for _ in range(bench.rounds)]
    finally:
        await stack.stop(NAME)
    p99 = Series.of(one.percentile_ms(99) for one in delivered)
    told = f"Polar's webhooks, {CLIENTS} at once"
    return [
        Line(f"{told}: p99", "ms", p99, target=at_most(200)),
        Line(told, "/s", Series.of(one.per_second for one in delivered)),
    ]


async def _deliver(bench: Bench, url: str) -> load.Load:
    """Signed now: a signature is good for five minutes."""
    secret = bench.stack.installation.secrets.polar_webhook_secret
    requests = [_webhook(secret) for _ in range(int(WEBHOOKS_A_SECOND * bench.seconds))]
    delivered = await load.sustain(url, CLIENTS, bench.seconds, requests)
    delivered.require(202)
    return delivered


def _webhook(secret: str) -> str:
    """As large as Polar's are, and unlike any other: none is a redelivery."""
    webhook_id, at = str(uuid4()), datetime.now(UTC)
    body = json.dumps({"type": "order.paid", "timestamp": at.isoformat(), "data": _order()})
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body),
    }
    return load.request("POST", "/webhooks/polar", headers, body)


def _order() -> dict[str, object]:
    """What the service reads of it are two ids; the rest is there for its length."""
    told = {"status": "paid", "paid": True, "subtotal_amount": 2400, "tax_amount": 0, "currency": "eur"}
    customer = {"id": str(uuid4()), "email": "player@benchmark.example", "name": "Player", "avatar_url": "x" * 200}
    product = {"id": str(uuid4()), "name": "A court", "description": "x" * 400}
    metadata = {"booking_id": str(uuid4())}
    more = {"customer": customer, "product": product, "metadata": metadata, "items": [dict(product)]}
    return {"id": str(uuid4()), "checkout_id": str(uuid4())} | told | more
