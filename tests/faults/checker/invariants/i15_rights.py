"""I15: nobody changes anything without a right to, and nobody reads what is another's. No row bears the name of an attacker, and no webhook
was taken that its provider did not send.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.checker.facts import Facts
from tests.faults.checker.verdict import Finding, Violation, violation

ACTORS = (
    ("booking", "bookings", "user_id"),
    ("booking", "idempotency_keys", "user_id"),
    ("booking", "blocked_slots", "created_by"),
    ("booking", "closures", "created_by"),
    ("booking", "dead_letter_actions", "actor_id"),
    ("payments", "idempotency_keys", "user_id"),
    ("payments", "payment_history", "actor"),
    ("payments", "dead_letter_actions", "actor_id"),
    ("notifications", "idempotency_keys", "user_id"),
    ("notifications", "dead_letter_actions", "actor_id"),
)
OPEN_TO_ALL = ("availability",)


def examine(facts: Facts) -> Finding:
    return Finding.of(
        len(facts.history) + len(facts.table("payments", "polar_webhooks")),
        [*_touched(facts), *_answered(facts), *_read(facts), *_forged(facts)],
    )


def _touched(facts: Facts) -> Iterator[Violation]:
    for service, table, column in ACTORS:
        for row in facts.table(service, table):
            if row[column] in facts.run.hostile_users:
                yield violation("touched by an attacker", table=f"{service}.{table}", user_id=row[column])


def _answered(facts: Facts) -> Iterator[Violation]:
    for call in facts.history:
        if call.user in facts.run.hostile_users and call.is_ok and call.op not in OPEN_TO_ALL:
            yield violation("attacker was answered", **call.shown)


def _read(facts: Facts) -> Iterator[Violation]:
    """Staff see the bookings of their venues, admins all."""
    staff = {(row["user_id"], row["venue_id"]) for row in facts.table("booking", "venue_staff")}
    admins = {row["id"] for row in facts.table("booking", "users") if row["role"] == "admin"}
    for call in facts.history:
        answer = call.answer if isinstance(call.answer, dict) else {}
        if not call.is_ok or call.user in admins:
            continue
        for one in (answer, *_items(answer)):
            owner, venue = one.get("user_id"), one.get("venue_id")
            if owner not in (None, call.user) and venue and (call.user, venue) not in staff:
                yield violation("another's booking was shown", owner=owner, **call.shown)


def _items(answer: dict[str, object]) -> list[dict[str, object]]:
    items = answer.get("items")
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def _forged(facts: Facts) -> Iterator[Violation]:
    known = {"polar_webhooks": facts.polar.webhooks, "resend_webhooks": facts.resend.webhooks}
    for service, table in (("payments", "polar_webhooks"), ("notifications", "resend_webhooks")):
        for row in facts.table(service, table):
            if row["webhook_id"] not in known[table]:
                yield violation("forged webhook taken", service=service, webhook_id=row["webhook_id"], type=row["type"])
