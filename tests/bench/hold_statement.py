"""The statement of a hold as a script for pgbench: the very text, with expressions in the place of its arguments.

What differs from hold to hold (player, key, court, time, ids) is computed from a number that pgbench counts up; everything else is what the
service itself passes for such a hold, byte for byte.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from uuid_utils.compat import uuid7

from services.booking.bookings.domain import Booking
from services.booking.bookings.hold import STATEMENT, Hold
from services.booking.settings import BookingSettings
from services.booking.venues.queries import Catalogue
from services.chassis.database import Database
from services.chassis.idempotency import IdempotencyKey
from services.chassis.telemetry import tracing
from tests.bench import club

COUNTING = f"""\\set i :i + 1
\\set n :i * :clients + :client_id
\\set player :n % {club.PLAYERS}
\\set court :n % {club.COURTS}
\\set starts :midnight + 3600 * (:n / {club.COURTS} % {club.HOURS} + 24 * (:n / {club.COURTS * club.HOURS}) + {club.OPENS})
"""
"""No two holds of a run count the same, and nobody counts as far as a second booking too many."""

BOOKING_IDS, EVENT_IDS, KEYS = "01900000-0000-7000-8000-", "01900000-0000-7000-9000-", "00000000-0000-4000-b000-"
"""Ids that grow by time, as the service's own: indexes grow at their end."""
JSON_ARGUMENTS = (21, 24)


async def script(database_url: str, clients: int) -> str:
    """For so many clients. No colon may stand in a literal: pgbench would take what follows for a variable of its own."""
    hold = await _hold(database_url)
    with tracing(None, "00000000-0000-4000-8000-000000000000"):
        told = dict(enumerate(hold._arguments(), start=1))
    expressions = {number: _literal(number, value) for number, value in told.items()} | _counted()
    text = re.sub(r"^--.*\n", "", STATEMENT, flags=re.MULTILINE)
    text = re.sub(r"\$(\d+)", lambda found: expressions[int(found[1])], text)
    return f"\\set clients {clients}\n\\set midnight {_midnight()}\n{COUNTING}{text};\n"


def _counted() -> dict[int, str]:
    player = _uuid(club.PLAYER_IDS, ":player")
    booking = _uuid(BOOKING_IDS, ":n")
    return {
        1: f"{player}::uuid",
        2: _uuid(KEYS, ":n"),
        6: f"{_uuid(club.COURT_IDS, ':court')}::uuid",
        7: "to_timestamp(:starts::float8)",
        8: "to_timestamp(:starts::float8 + 3600)",
        9: f"{booking}::uuid",
        16: f"{_uuid(EVENT_IDS, ':n')}::uuid",
        18: booking,
        23: f"{player}::uuid",
    }


def _uuid(stem: str, number: str) -> str:
    return f"('{stem}' || lpad(to_hex({number}::bigint), 12, '0'))"


def _literal(number: int, value: object) -> str:
    if number in JSON_ARGUMENTS:
        return f"convert_from('\\x{str(value).encode().hex()}'::bytea, 'UTF8')::jsonb"
    match value:
        case bytes():
            return f"'\\x{value.hex()}'::bytea"
        case datetime():
            return f"to_timestamp({value.timestamp()})"
        case UUID():
            return f"'{value}'::uuid"
        case int():
            return str(value)
        case _:
            assert isinstance(value, str), f"argument {number} is {value!r}"
            assert ":" not in value, value
            return f"'{value}'"


async def _hold(database_url: str) -> Hold:
    """One as the service makes it, of the first player and slot."""
    court_id, starts_at = club.slot(0)
    database = await Database.open(BookingSettings(database_url=SecretStr(database_url)))
    catalogue = Catalogue(database)
    try:
        venue, court = await catalogue.court(court_id)
    finally:
        await catalogue.close()
        await database.close()
    slot = venue.slots(court, starts_at.date())[0]
    booking = Booking.begin(uuid7(), slot, venue, club.player_id(0), datetime.now(UTC), free=False)
    return Hold(booking, slot, venue, court, IdempotencyKey(club.player_id(0), "key", bytes(32)))


def _midnight() -> int:
    tomorrow = datetime.now(club.ZONE).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    return int(tomorrow.timestamp())
