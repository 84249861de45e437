"""What is the case after a run, read from where it really is: rows by plain SQL, records by plain JSON, and the providers' own books.

Nothing here, nor in `invariants`, asks the services' code: what they think of it is what is judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.simulation.history import Call
from tests.simulation.people import PLAYERS, user_id
from tests.simulation.world import World

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """A record of a topic: `copy` when its id was there before."""

    topic: str
    id: str
    type: str
    key: str
    body: Any
    copy: bool


@dataclass(frozen=True)
class Facts:
    now: datetime
    calls: list[Call]
    rows: Mapping[str, list[Row]]
    """By `service.table`."""
    said: list[Said]
    lags: Mapping[str, int]
    charges: Mapping[str, Row]
    """By order."""
    given_back: Mapping[str, int]
    refunds_at_polar: list[Any]
    mails: list[Any]
    bounced: set[str]
    """Users whose address takes no mail."""

    @property
    def erased(self) -> set[str]:
        """Users who asked to be forgotten."""
        return {str(row["id"]) for row in self.rows["booking.users"] if row["erased_at"]}

    def about(self, topic: str) -> list[Said]:
        """The first of each."""
        return [one for one in self.said if one.topic == topic and not one.copy]


READ = {
    "booking": {
        "bookings": "SELECT * FROM bookings ORDER BY id",
        "occupancy": "SELECT court_id, lower(during) AS since, upper(during) AS until, booking_id, blocked_slot_id"
        " FROM court_occupancy ORDER BY id",
        "blocks": "SELECT id, court_id, lower(during) AS since, upper(during) AS until FROM blocked_slots ORDER BY id",
        "users": "SELECT id, version, email, erased_at FROM users ORDER BY id",
    },
    "payments": {
        "attempts": "SELECT * FROM payment_attempts ORDER BY id",
        "orders": "SELECT * FROM orders ORDER BY id",
        "refunds": "SELECT * FROM refunds ORDER BY id",
        "quarantined": "SELECT * FROM quarantined_orders ORDER BY id",
        "profiles": "SELECT user_id, version, email FROM profiles ORDER BY user_id",
    },
    "notifications": {
        "emails": "SELECT id, kind, booking_id, version, refund_id, state, user_id FROM emails ORDER BY id",
        "bookings": "SELECT * FROM bookings ORDER BY booking_id",
        "profiles": "SELECT user_id, version, email FROM recipients ORDER BY user_id",
    },
}
EVERYWHERE = {
    "outbox": "SELECT type FROM outbox ORDER BY seq",
    "inbox": "SELECT event_id FROM inbox",
}


async def look(world: World) -> Facts:
    rows: dict[str, list[Row]] = {}
    for service, tables in READ.items():
        async with world.offices[service].chassis.database.pool.acquire() as connection:
            for table, statement in (tables | EVERYWHERE).items():
                rows[f"{service}.{table}"] = [dict(row) for row in await connection.fetch(statement)]
    ledger = world.polar.ledger()
    given_back: dict[str, int] = {}
    for entry in ledger:
        sign = {"charge": 0, "refund": 1, "reversal": -1}[entry["kind"]]
        given_back[entry["order_id"]] = given_back.get(entry["order_id"], 0) + sign * entry["amount"]
    bounced = {row["address"].partition("@")[0] for row in world.resend.outbox.database.rows("SELECT * FROM fates")}
    return Facts(
        now=world.clock.at,
        calls=list(world.calls),
        rows=rows,
        said=_said(world),
        lags=_lags(world),
        charges={one["order_id"]: _with_metadata(one) for one in ledger if one["kind"] == "charge"},
        given_back=given_back,
        refunds_at_polar=world.polar.documents("refunds"),
        mails=world.resend.mails(),
        bounced={str(user_id(name)) for name in PLAYERS if name in bounced},
    )


def _said(world: World) -> list[Said]:
    seen, said = set[tuple[str, str]](), []
    for record in world.log.in_order:
        headers = dict(record.headers)
        event_id = headers["ce_id"].decode()
        body = json.loads(record.value) if record.value else None
        key = (record.key or b"").decode()
        place = (record.topic, event_id)
        said.append(Said(record.topic, event_id, headers["ce_type"].decode(), key, body, place in seen))
        seen.add(place)
    return said


def _lags(world: World) -> dict[str, int]:
    groups = (group for office in world.offices.values() for group in office.groups)
    return {group.name: world.log.lag(group.name, group.topics) for group in groups}


def _with_metadata(entry: dict[str, Any]) -> Row:
    return entry | {"metadata": json.loads(entry["metadata"])}
