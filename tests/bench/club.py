"""A club so large that no two holds of a round want the same: fifty courts, forty thousand players, weeks of hourly slots."""

from __future__ import annotations

import json
import time as clock
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import jwt

from deploy.local.environment import TOKEN_AUDIENCE, TOKEN_ISSUER
from tests.bench.load import request

VENUE = UUID("00000000-0000-4000-8000-00000000be0c")
COURT_IDS, PLAYER_IDS = "00000000-0000-4000-9000-", "00000000-0000-4000-a000-"
"""And twelve hexadecimal digits: their number."""
ZONE = ZoneInfo("Europe/Madrid")
COURTS, PLAYERS = 50, 40_000
REGULARS = 10_000
"""Those with a token, at most as many as a process remembers (`KnownUsers`): a round measures holds, not first visits."""
OPENS, HOURS = 6, 17
"""A slot on each full hour, none of them near the hour at which the clocks change."""
HORIZON_DAYS = 90
TOKEN_SECONDS = 4 * 3600
"""As long as the longest case takes."""

FOUND_CLUB = """
INSERT INTO venues (id, name, time_zone, currency, hold_minutes, cancellation_window_hours, max_active_bookings, booking_horizon_days)
VALUES ($1, 'Benchmark Padel', 'Europe/Madrid', 'EUR', 15, 24, 2, $2)
"""
OPEN_CLUB = """
INSERT INTO opening_hours (venue_id, weekday, opens, closes) SELECT $1, weekday, $2, $3 FROM generate_series(0, 6) AS weekday
"""
PRICE_CLUB = """
INSERT INTO price_rules (id, venue_id, weekdays, starts, ends, price_minor, priority)
VALUES (gen_random_uuid(), $1, '{0,1,2,3,4,5,6}', '00:00', '00:00', 2400, 0)
"""
CLEAR = (
    "DELETE FROM court_occupancy WHERE booking_id IN (SELECT id FROM bookings WHERE status = 'held')",
    "DELETE FROM bookings WHERE status = 'held'",
)
FORGET = ("TRUNCATE outbox", "TRUNCATE idempotency_keys", "TRUNCATE rate_limits")
TIDY = ("VACUUM (ANALYZE) bookings, court_occupancy, outbox, idempotency_keys", "CHECKPOINT")


def court_id(number: int) -> UUID:
    return UUID(f"{COURT_IDS}{number:012x}")


def player_id(number: int) -> UUID:
    return UUID(f"{PLAYER_IDS}{number:012x}")


def slot(number: int) -> tuple[UUID, datetime]:
    """The court and the start of one slot of many: the same number is the same slot, two numbers never overlap."""
    hours, court = divmod(number, COURTS)
    days, hour = divmod(hours, HOURS)
    day = datetime.now(UTC).astimezone(ZONE).date() + timedelta(days=2 + days)
    return court_id(court), datetime.combine(day, time(OPENS + hour), ZONE)


@dataclass(frozen=True)
class Club:
    """In a migrated booking database, with a connection of the superuser's."""

    connection: asyncpg.Connection[Any]
    keys: Path
    """Where the signing key lies."""

    async def found(self) -> None:
        """Safe to run once for each database."""
        await self.connection.execute(FOUND_CLUB, VENUE, HORIZON_DAYS)
        await self.connection.execute(OPEN_CLUB, VENUE, time(OPENS), time(OPENS + HOURS))
        await self.connection.execute(PRICE_CLUB, VENUE)
        courts = [(court_id(n), VENUE, f"Court {n}", "artificial turf", 60, True) for n in range(COURTS)]
        await self.connection.copy_records_to_table("courts", records=courts)
        now = datetime.now(UTC)
        columns = ("id", "email", "name", "locale", "role", "version", "created_at")
        players = [(player_id(n), _email(n), f"Player {n}", "en", "player", 1, now) for n in range(PLAYERS)]
        await self.connection.copy_records_to_table("users", records=players, columns=columns)
        await self.connection.execute("ANALYZE")

    async def clear(self) -> None:
        """Before each round: nobody holds anything, and no round pays for the rows that another one left."""
        for statement in (*CLEAR, *FORGET, *TIDY):
            await self.connection.execute(statement, timeout=600)

    def tokens(self, regulars: int) -> list[str]:
        """One for each of the first so many players, as the identity provider gives them."""
        assert regulars <= REGULARS
        key = jwt.algorithms.OKPAlgorithm().prepare_key((self.keys / "signing-key.pem").read_bytes())
        key_id = json.loads((self.keys / "jwks.json").read_bytes())["keys"][0]["kid"]
        now = int(clock.time())
        ends = {"iss": TOKEN_ISSUER, "aud": TOKEN_AUDIENCE, "nbf": now, "exp": now + TOKEN_SECONDS}
        return [
            jwt.encode(ends | _claims(number), key, algorithm="EdDSA", headers={"kid": key_id})  # type: ignore[arg-type]  # the key that PyJWT itself prepared
            for number in range(regulars)
        ]


def hold(token: str, number: int) -> str:
    """A request for the slot of this number, under an idempotency key of its own."""
    court, starts_at = slot(number)
    body = json.dumps({"court_id": str(court), "starts_at": starts_at.isoformat()})
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
    return request("POST", "/v1/bookings", headers, body)


def _email(number: int) -> str:
    return f"player{number}@benchmark.example"


def _claims(number: int) -> dict[str, str]:
    told = {"sub": str(player_id(number)), "email": _email(number), "name": f"Player {number}"}
    return told | {"locale": "en", "role": "player"}
