"""Polar and Resend in memory: the stand-ins themselves, without a network, on the one clock, and with an empty SQLite of their own.

What they do is what `deploy/standins/README.md` says and the contract tests prove with the official SDKs.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.standins.database import Database
from deploy.standins.polar import app as polar_app
from deploy.standins.polar import checkouts, refunds, timekeeper
from deploy.standins.polar.errors import PolarError
from deploy.standins.polar.settings import Settings as PolarSettings
from deploy.standins.polar.state import Standin
from deploy.standins.polar.webhooks import register_endpoint as register_at_polar
from deploy.standins.resend import app as resend_app
from deploy.standins.resend.settings import Settings as ResendSettings
from deploy.standins.resend.state import Outbox
from deploy.standins.resend.state import register_endpoint as register_at_resend
from tests.simulation.pinning import SimulatedClock
from tests.simulation.wire import Wire

POLAR_EVENTS = "checkout.updated checkout.expired order.paid order.refunded refund.created refund.updated"
"""Those that payments looks at."""
RESEND_EVENTS = "email.delivered email.bounced email.suppressed"


@dataclass(frozen=True)
class Webhook:
    id: str
    type: str
    body: bytes


@dataclass
class Polar:
    standin: Standin
    wire: Wire

    @classmethod
    def open(cls, clock: SimulatedClock) -> Polar:
        told = PolarSettings(state=":memory:", webhook_url="http://payments.test", webhook_events=POLAR_EVENTS)
        app = polar_app.create_app(told)
        return cls(app.state.standin, Wire("polar", httpx.ASGITransport(app), clock))

    def start_over(self) -> None:
        self.standin.database.start_over()
        self.standin.settings.refund_s = 0
        register_at_polar(self.standin)
        self.wire.calm()

    def pay(self, checkout_id: str, *, at_once: bool) -> bool:
        """As a player at the page does. False when Polar does not let them. A slow bank says yes later, by `settle`."""
        with suppress(PolarError):
            checkouts.confirm(self.standin, checkout_id)
            if at_once:
                checkouts.settle(self.standin, checkout_id)
            return True
        return False

    def settle(self, checkout_id: str, *, declined: bool) -> None:
        with suppress(PolarError):
            (checkouts.decline if declined else checkouts.settle)(self.standin, checkout_id)

    def end_refund(self, refund_id: str, *, failed: bool) -> bool:
        with suppress(PolarError):
            refunds.end(self.standin, refund_id, "failed" if failed else "succeeded")
            return True
        return False

    def refund_unasked(self, order_id: str) -> bool:
        with suppress(PolarError):
            refunds.start_unasked(self.standin, order_id, None, "dispute_prevention", refunds.Course(0, "succeeded"))
            return True
        return False

    def catch_up(self) -> None:
        timekeeper.catch_up(self.standin)

    def documents(self, table: str, status: str = "") -> list[dict[str, Any]]:
        """The oldest first."""
        found = f"SELECT doc FROM {table} WHERE ? IN ('', status) ORDER BY seq"
        return [json.loads(row["doc"]) for row in self.standin.database.rows(found, (status,))]

    def ledger(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.standin.database.rows("SELECT * FROM ledger ORDER BY seq")]


@dataclass
class Resend:
    outbox: Outbox
    wire: Wire

    @classmethod
    def open(cls, clock: SimulatedClock) -> Resend:
        # Its bucket of requests would remember the run before: that it has had enough is a fate of the wire.
        told = ResendSettings(
            state=":memory:", rate_per_s=0, webhook_url="http://notifications.test", webhook_events=RESEND_EVENTS
        )
        app = resend_app.create_app(told)
        return cls(app.state.outbox, Wire("resend", httpx.ASGITransport(app), clock))

    def start_over(self) -> None:
        self.outbox.database.start_over()
        register_at_resend(self.outbox)
        self.wire.calm()

    def bounce(self, address: str) -> None:
        self.outbox.database.execute("INSERT OR REPLACE INTO fates VALUES (?, 'bounced')", (address,))

    def mails(self) -> list[dict[str, Any]]:
        """In the order of sending, each with what became of it in the end."""
        rows = self.outbox.database.rows("SELECT content, last_event FROM emails ORDER BY seq")
        return [json.loads(row["content"]) | {"last_event": row["last_event"]} for row in rows]


def pending_webhooks(database: Database) -> list[Webhook]:
    rows = database.rows("SELECT id, type, payload FROM webhook_events WHERE state = 'pending' ORDER BY seq")
    return [Webhook(row["id"], row["type"], row["payload"].encode()) for row in rows]


def end_webhook(database: Database, webhook: Webhook, state: str) -> None:
    """`succeeded`, or `skipped`: then nobody hears of it."""
    database.execute("UPDATE webhook_events SET state = ? WHERE id = ?", (state, webhook.id))
