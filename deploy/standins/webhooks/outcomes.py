"""What comes of an attempt: delivered, once more later, given up; and of an endpoint that never answers well."""

import logging
import sqlite3

from deploy.standins.webhooks.hooks import Hooks, new_id

log = logging.getLogger(__name__)


def record_attempt(hooks: Hooks, tried: sqlite3.Row, code: int | None, response: str) -> None:
    """`tried` is the event as it was when the attempt began; `code` is None when there was no answer. Only 2xx is success."""
    succeeded = code is not None and 200 <= code < 300  # noqa: PLR2004 - a redirect is a failure
    with hooks.database.transaction():
        event = hooks.database.row("SELECT * FROM webhook_events WHERE id = ?", (tried["id"],))
        if event is None:  # the books were started over meanwhile
            return
        hooks.database.execute(
            "INSERT INTO webhook_deliveries (id, event_id, at, succeeded, http_code, response) VALUES (?, ?, ?, ?, ?, ?)",
            (new_id(), event["id"], hooks.clock.now(), succeeded, code, response),
        )
        if event["next_attempt_at"] == tried["next_attempt_at"]:  # else a redelivery was asked for meanwhile: it is due
            _go_on(hooks, event, code, succeeded=succeeded)


def _go_on(hooks: Hooks, event: sqlite3.Row, code: int | None, *, succeeded: bool) -> None:
    now, attempts = hooks.clock.now(), event["attempts"] + 1
    wait_s = hooks.policy.wait_s(attempts)
    state = "succeeded" if succeeded else "failed" if wait_s is None else "pending"
    hooks.database.execute(
        "UPDATE webhook_events SET state = ?, attempts = ?, next_attempt_at = ?, last_http_code = ?, "
        "first_attempt_at = COALESCE(first_attempt_at, ?) WHERE id = ?",
        (state, attempts, now + (wait_s or 0) * hooks.policy.time_scale, code, now, event["id"]),
    )
    given_up = state == "failed" and _failed_in_a_row(hooks, event["endpoint_id"])
    if given_up or (not succeeded and _failed_for_long(hooks, event["endpoint_id"])):
        _disable(hooks, event["endpoint_id"])


def _failed_in_a_row(hooks: Hooks, endpoint_id: str) -> bool:
    wanted = hooks.policy.failures_to_disable
    if wanted is None:
        return False
    latest = hooks.database.rows(
        "SELECT event.state FROM webhook_events AS event JOIN webhook_endpoints AS endpoint ON endpoint.id = endpoint_id "
        "WHERE endpoint_id = ? AND state IN ('succeeded', 'failed') AND event.created_at >= enabled_at "
        "ORDER BY (SELECT MAX(at) FROM webhook_deliveries WHERE event_id = event.id) DESC, seq DESC LIMIT ?",
        (endpoint_id, wanted),
    )
    return [row["state"] for row in latest] == ["failed"] * wanted


def _failed_for_long(hooks: Hooks, endpoint_id: str) -> bool:
    wanted_s = hooks.policy.failing_s_to_disable
    if wanted_s is None:
        return False
    attempts = (
        "FROM webhook_deliveries AS delivery JOIN webhook_events AS event ON event.id = delivery.event_id "
        "WHERE event.endpoint_id = ? AND at > ?"
    )
    success = hooks.database.value(f"SELECT MAX(at) {attempts} AND succeeded", (endpoint_id, 0)) or 0
    since = hooks.database.value(f"SELECT MIN(at) {attempts}", (endpoint_id, success))
    return since is not None and bool(hooks.clock.now() - since >= wanted_s)


def _disable(hooks: Hooks, endpoint_id: str) -> None:
    hooks.database.execute("UPDATE webhook_endpoints SET enabled = 0 WHERE id = ?", (endpoint_id,))
    hooks.database.execute(
        "UPDATE webhook_events SET state = 'skipped' WHERE endpoint_id = ? AND state = 'pending'", (endpoint_id,)
    )
    log.warning("webhook endpoint disabled", extra={"facts": {"endpoint_id": endpoint_id}})
