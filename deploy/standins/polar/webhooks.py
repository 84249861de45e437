"""Events, made once: the bytes and the `webhook-id` stay the same over every attempt, only the signature is fresh."""

import base64
import json
import math
import uuid
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from deploy.standins.clock import iso
from deploy.standins.polar import shapes
from deploy.standins.polar.state import Document, Standin

API_VERSION = "2026-10"


def announce(standin: Standin, event_type: str, data: Document) -> None:
    """Part of the transaction that changed `data`: the fact and its event are written together or not at all."""
    now = standin.clock.now()
    envelope = {"type": event_type, "timestamp": iso(now), "api_version": API_VERSION, "data": data}
    for endpoint in standin.database.rows("SELECT id, events FROM webhook_endpoints WHERE enabled"):
        if event_type in endpoint["events"].split():
            standin.database.execute(
                "INSERT INTO webhook_events (id, endpoint_id, type, payload, created_at, state, attempts, next_attempt_at) "
                "VALUES (?, ?, ?, ?, ?, 'pending', 0, ?)",
                (shapes.new_id(), endpoint["id"], event_type, json.dumps(envelope), now, now),
            )
            standin.work_to_do.set()


def register_endpoint(standin: Standin) -> None:
    """The one of the settings. It keeps its events and its history when the address changes."""
    settings = standin.settings
    if settings.webhook_url:
        standin.database.execute(
            "INSERT INTO webhook_endpoints (id, url, events, enabled, created_at) VALUES (?, ?, ?, 1, ?) "
            "ON CONFLICT (id) DO UPDATE SET url = excluded.url, events = excluded.events",
            (endpoint_id(standin), settings.webhook_url, settings.webhook_events, standin.clock.now()),
        )


def endpoint_id(standin: Standin) -> str:
    return str(uuid.uuid5(standin.settings.product_id, "webhook endpoint"))


def signed_headers(standin: Standin, event_id: str, payload: str) -> dict[str, str]:
    """For this very attempt. Real time, not the stand-in's: receivers refuse what is five minutes away from theirs."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "polar.sh webhooks",
        "webhook-id": event_id,
        "webhook-timestamp": str(math.floor(now.timestamp())),
        "webhook-signature": _signer(standin).sign(event_id, now, payload),
    }


def _signer(standin: Standin) -> Webhook:
    secret = standin.settings.webhook_secret
    if standin.settings.webhook_signing == "legacy":  # the whole secret is the key, its prefix included
        return Webhook(base64.b64encode(secret.encode()).decode())
    return Webhook(secret)
