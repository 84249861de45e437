"""What every part of the stand-in shares."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from deploy.standins.clock import Clock
from deploy.standins.database import Database
from deploy.standins.resend.errors import KeyUnderWay
from deploy.standins.resend.patience import policy
from deploy.standins.resend.schema import SCHEMA
from deploy.standins.resend.settings import Settings
from deploy.standins.webhooks.hooks import Hooks

Document = dict[str, Any]
ENDPOINT_ID = "5b0a3b0e-8a55-4c53-9a55-c0a275bdc0de"


@dataclass
class Outbox:
    settings: Settings
    database: Database
    clock: Clock
    hooks: Hooks
    _under_way: set[str] = field(default_factory=set)

    @contextmanager
    def holding(self, key: str) -> Iterator[None]:
        """One request per idempotency key at a time. KeyUnderWay for the second."""
        if key in self._under_way:
            raise KeyUnderWay
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)


def open_outbox(settings: Settings) -> Outbox:
    database = Database(settings.state, SCHEMA)
    clock = Clock(database)
    outbox = Outbox(settings, database, clock, Hooks(database, clock, policy(settings)))
    register_endpoint(outbox)
    return outbox


def register_endpoint(outbox: Outbox) -> None:
    """The one of the settings."""
    settings = outbox.settings
    if settings.webhook_url:
        outbox.hooks.register(ENDPOINT_ID, settings.webhook_url, settings.webhook_secret, settings.webhook_events)


def _of_the_application(request: Request) -> Outbox:
    outbox: Outbox = request.app.state.outbox
    return outbox


TheOutbox = Annotated[Outbox, Depends(_of_the_application)]
