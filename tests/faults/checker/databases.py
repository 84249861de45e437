"""The rows of the three databases, read with SQL of our own. Mails' texts and webhooks' bodies stay where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from tests.faults.checker.errors import CouldNotCheck
from tests.faults.checker.facts import Row, Tables

SPAN = "lower(during) AS starts_at, upper(during) AS ends_at"
COMMON = {
    "instant": "SELECT now() AS at",
    "inbox": "SELECT consumer_group, event_id, handled_at FROM inbox",
    "outbox": "SELECT seq, id, aggregatetype, aggregateid, type, created_at FROM outbox ORDER BY seq",
    "idempotency_keys": "SELECT user_id, key, status, body, created_at FROM idempotency_keys",
    "dead_letters": 'SELECT id, topic, partition, "offset", value, missing, event_id, type, error_class, error_message,'
    " state FROM dead_letters",
    "dead_letter_actions": "SELECT id, actor_id, action FROM dead_letter_actions",
}
QUERIES: Mapping[str, Mapping[str, str]] = {
    "booking": COMMON
    | {
        "bookings": "SELECT id, court_id, venue_id, user_id, starts_at, ends_at, status, seat, price_minor, currency,"
        " cancellation_window_hours, hold_expires_at, order_id, refunds_due, refunded_orders, version, created_at FROM bookings",
        "court_occupancy": f"SELECT id, court_id, {SPAN}, booking_id, blocked_slot_id FROM court_occupancy",
        "blocked_slots": f"SELECT id, court_id, venue_id, {SPAN}, created_by FROM blocked_slots",
        "closures": "SELECT id, created_by FROM closures",
        "users": "SELECT id, role, version, erased_at FROM users",
        "venue_staff": "SELECT user_id, venue_id FROM venue_staff",
        "venues": "SELECT id, time_zone, currency, max_active_bookings, booking_horizon_days FROM venues",
        "opening_hours": "SELECT venue_id, weekday, opens, closes FROM opening_hours",
        "opening_exceptions": "SELECT venue_id, date, opens, closes FROM opening_exceptions",
        "courts": "SELECT id, venue_id, slot_minutes, active FROM courts",
        "price_rules": "SELECT id, venue_id, court_id, weekdays, starts, ends, price_minor, priority, valid_from, valid_until,"
        " role FROM price_rules",
    },
    "payments": COMMON
    | {
        "payment_attempts": "SELECT id, booking_id, state, amount_minor, currency, hold_expires_at, checkout_id FROM payment_attempts",
        "payment_history": "SELECT attempt_id, step, actor FROM payment_history",
        "orders": "SELECT polar_order_id, attempt_id, booking_id, amount_minor, currency, recorded_at FROM orders",
        "refunds": "SELECT id, polar_order_id, booking_id, origin, reason, amount_minor, refunded_minor, currency, state, failure,"
        " polar_refund_id FROM refunds",
        "quarantined_orders": "SELECT polar_order_id, reason, booking_id, settled_at FROM quarantined_orders",
        "profiles": "SELECT user_id, email, name, locale, version, erased_at FROM profiles",
        "polar_webhooks": "SELECT id, webhook_id, type FROM polar_webhooks",
    },
    "notifications": COMMON
    | {
        "bookings": "SELECT booking_id, version, news_version, status, starts_at, told FROM bookings",
        "emails": "SELECT id, kind, booking_id, version, refund_id, copy, user_id, state, provider_id, created_at, first_tried_at,"
        " sent_at, useless_after,"
        " payload::text <> '{}' AS was_written FROM emails",
        "recipients": "SELECT user_id, email, name, locale, version, erased_at FROM recipients",
        "resend_webhooks": "SELECT id, webhook_id, type FROM resend_webhooks",
    },
}


async def read(urls: Mapping[str, str]) -> dict[str, Tables]:
    """Each database as of one instant. Raises `CouldNotCheck`."""
    return {service: await _read(service, url) for service, url in urls.items()}


async def _read(service: str, url: str) -> Tables:
    try:
        connection = await asyncpg.connect(url, timeout=30)
        try:
            await _plain_values(connection)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return {table: await _rows(connection, query) for table, query in QUERIES[service].items()}
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CouldNotCheck(f"the database of {service} does not answer: {error!r}") from error


async def _rows(connection: asyncpg.Connection[Any], query: str) -> list[Row]:
    return [{name: _plain(value) for name, value in row.items()} for row in await connection.fetch(query)]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


async def _plain_values(connection: asyncpg.Connection[Any]) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
