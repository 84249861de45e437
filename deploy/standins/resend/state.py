"""What every part of the stand-in shares."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from deploy.standins.clock import Clock
from deploy.standins.database import Database
from deploy.standins.resend.errors import KeyUnderWay
from deploy.standins.resend.schema import SCHEMA
from deploy.standins.resend.settings import Settings

Document = dict[str, Any]


@dataclass
class Outbox:
    settings: Settings
    database: Database
    clock: Clock
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
    return Outbox(settings, database, Clock(database))


def _of_the_application(request: Request) -> Outbox:
    outbox: Outbox = request.app.state.outbox
    return outbox


TheOutbox = Annotated[Outbox, Depends(_of_the_application)]
