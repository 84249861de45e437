"""What every part of the stand-in shares."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.standins.clock import Clock, iso
from deploy.standins.database import Database
from deploy.standins.polar.errors import CheckoutLocked, ResourceNotFound
from deploy.standins.polar.patience import policy
from deploy.standins.polar.schema import SCHEMA
from deploy.standins.polar.settings import Settings
from deploy.standins.webhooks.hooks import Hooks

Document = dict[str, Any]


@dataclass
class Standin:
    settings: Settings
    database: Database
    clock: Clock
    hooks: Hooks
    _being_confirmed: set[str] = field(default_factory=set)

    @contextmanager
    def confirming(self, checkout_id: str) -> Iterator[None]:
        """One confirmation of a checkout at a time, as Polar locks the row. CheckoutLocked for the second."""
        if checkout_id in self._being_confirmed:
            raise CheckoutLocked
        self._being_confirmed.add(checkout_id)
        try:
            yield
        finally:
            self._being_confirmed.discard(checkout_id)

    @property
    def organization_id(self) -> str:
        return str(uuid.uuid5(self.settings.product_id, "organization"))

    def now_iso(self) -> str:
        return iso(self.clock.now())

    def document(self, table: str, resource_id: str, column: str = "id") -> Document:
        """ResourceNotFound when there is none."""
        text = self.database.value(f"SELECT doc FROM {table} WHERE {column} = ?", (resource_id,))  # noqa: S608 - our own names
        if text is None:
            raise ResourceNotFound
        document: Document = json.loads(text)
        return document

    def save(self, table: str, document: Document) -> None:
        """Writes a changed document; its `status` is also the column that lists filter by."""
        document["modified_at"] = self.now_iso()
        self.database.execute(
            f"UPDATE {table} SET status = ?, doc = ? WHERE id = ?",  # noqa: S608 - our own names
            (document["status"], json.dumps(document), document["id"]),
        )


def open_standin(settings: Settings) -> Standin:
    database = Database(settings.state, SCHEMA)
    clock = Clock(database)
    return Standin(settings, database, clock, Hooks(database, clock, policy(settings)))
