"""What Polar tells of, and to whom."""

import uuid

from deploy.standins.clock import iso
from deploy.standins.polar.state import Document, Standin

API_VERSION = "2026-10"


def announce(standin: Standin, event_type: str, data: Document) -> None:
    """Part of the transaction that changed `data`."""
    now = iso(standin.clock.now())
    standin.hooks.announce(event_type, {"type": event_type, "timestamp": now, "api_version": API_VERSION, "data": data})


def register_endpoint(standin: Standin) -> None:
    """The one of the settings."""
    settings = standin.settings
    if settings.webhook_url:
        standin.hooks.register(
            str(uuid.uuid5(settings.product_id, "webhook endpoint")),
            settings.webhook_url,
            settings.webhook_secret,
            settings.webhook_events,
            settings.webhook_signing,
        )
