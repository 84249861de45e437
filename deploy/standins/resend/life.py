"""What becomes of a mail that was taken: sent, delivered, bounced, complained about; and who is told."""

import json
import sqlite3
from typing import Any, Literal

from deploy.standins.clock import iso
from deploy.standins.resend.errors import NotFound
from deploy.standins.resend.state import Document, Outbox

Fate = Literal["delivered", "bounced", "complained", "suppressed", "delivery_delayed", "failed"]
MailEvent = Literal["delivered", "bounced", "complained", "delivery_delayed", "failed", "opened", "clicked"]

PATHS: dict[Fate, list[str]] = {
    "delivered": ["sent", "delivered"],
    "bounced": ["sent", "bounced"],
    "complained": ["sent", "delivered", "complained"],
    "suppressed": ["suppressed"],
    "delivery_delayed": ["sent", "delivery_delayed"],
    "failed": ["failed"],
}
RESEND_TEST_DOMAIN = "resend.dev"
DETAILS: dict[str, Document] = {
    "bounced": {"bounce": {"type": "Permanent", "subType": "General", "message": "The mailbox does not exist."}},
    "failed": {"failed": {"reason": "reached_daily_quota"}},
    "suppressed": {
        "suppressed": {"message": "The address is on the suppression list.", "type": "OnAccountSuppressionList"}
    },
    "clicked": {
        "click": {"link": "https://club.test/bookings", "ipAddress": "203.0.113.7", "userAgent": "Mozilla/5.0"}
    },
}


def begin(outbox: Outbox, email_id: str, recipient: str, scheduled_at: float | None) -> None:
    """The first of its events happens now, or when it is scheduled."""
    if scheduled_at is not None:
        _happen(outbox, email_id, "scheduled")
    path, begins_at = PATHS[_fate(outbox, recipient)], scheduled_at or outbox.clock.now()
    _plan(outbox, email_id, path, begins_at)
    _go_on(outbox, email_id)


def catch_up(outbox: Outbox) -> None:
    due = "SELECT id FROM emails WHERE next_event_at <= ? ORDER BY next_event_at, seq"
    for row in outbox.database.rows(due, (outbox.clock.now(),)):
        with outbox.database.transaction():
            _go_on(outbox, row["id"])


def happen(outbox: Outbox, email_id: str, event: MailEvent) -> None:
    """By a test's word, whatever was to come. NotFound when there is no such mail."""
    if outbox.database.row("SELECT 1 FROM emails WHERE id = ?", (email_id,)) is None:
        raise NotFound
    with outbox.database.transaction():
        _plan(outbox, email_id, [], None)
        _happen(outbox, email_id, event)


def move(outbox: Outbox, email_id: str, scheduled_at: float) -> None:
    outbox.database.execute(
        "UPDATE emails SET scheduled_at = ?, next_event_at = ? WHERE id = ?", (scheduled_at, scheduled_at, email_id)
    )


def cancel(outbox: Outbox, email_id: str) -> None:
    _plan(outbox, email_id, [], None)
    outbox.database.execute("UPDATE emails SET last_event = 'canceled' WHERE id = ?", (email_id,))


def address_of(recipient: str) -> str:
    """`Ana <ana@club.example>` → `ana@club.example`."""
    return recipient.rpartition("<")[2].rstrip("> ").strip().casefold()


def _fate(outbox: Outbox, recipient: str) -> Fate:
    """As the address says (`bounced@resend.dev`, also `bounced+7@`), as a test has told, or as the suppression list has it."""
    address = address_of(recipient)
    local, _, domain = address.partition("@")
    named = local.partition("+")[0]
    if domain == RESEND_TEST_DOMAIN and named in PATHS:
        return named
    if outbox.database.row("SELECT 1 FROM suppressions WHERE address = ?", (address,)):
        return "suppressed"
    told: Fate | None = outbox.database.value("SELECT fate FROM fates WHERE address = ?", (address,))
    return told or "delivered"


def _go_on(outbox: Outbox, email_id: str) -> None:
    """Everything that is due of this mail."""
    while True:
        row = outbox.database.row("SELECT to_come, next_event_at FROM emails WHERE id = ?", (email_id,))
        if row is None or row["next_event_at"] is None or row["next_event_at"] > outbox.clock.now():
            return
        event, *rest = json.loads(row["to_come"])
        _plan(outbox, email_id, rest, row["next_event_at"] + outbox.settings.delivery_s)
        _happen(outbox, email_id, event)


def _plan(outbox: Outbox, email_id: str, to_come: list[str], next_event_at: float | None) -> None:
    outbox.database.execute(
        "UPDATE emails SET to_come = ?, next_event_at = ? WHERE id = ?",
        (json.dumps(to_come), next_event_at if to_come else None, email_id),
    )


def _happen(outbox: Outbox, email_id: str, event: str) -> None:
    outbox.database.execute("UPDATE emails SET last_event = ? WHERE id = ?", (event, email_id))
    row = outbox.database.row("SELECT * FROM emails WHERE id = ?", (email_id,))
    assert row is not None
    if event in {"bounced", "complained"}:
        _suppress(outbox, row, event)
    envelope = {"type": f"email.{event}", "created_at": iso(outbox.clock.now()), "data": _told(row, event)}
    outbox.hooks.announce(f"email.{event}", envelope)


def _suppress(outbox: Outbox, row: sqlite3.Row, event: str) -> None:
    """Resend mails no more to who bounced or complained; its own test addresses can be used again and again."""
    for recipient in json.loads(row["content"])["to"]:
        address = address_of(recipient)
        if not address.endswith(f"@{RESEND_TEST_DOMAIN}"):
            outbox.database.execute(
                "INSERT OR IGNORE INTO suppressions (address, origin) VALUES (?, ?)",
                (address, "bounce" if event == "bounced" else "complaint"),
            )


def _told(row: sqlite3.Row, event: str) -> dict[str, Any]:
    """Tags come back as a map."""
    content = json.loads(row["content"])
    return {
        "email_id": row["id"],
        "message_id": message_id(row["id"]),
        "created_at": iso(row["created_at"]),
        "from": content["from"],
        "to": content["to"],
        "subject": content["subject"],
        "tags": {tag["name"]: tag["value"] for tag in content.get("tags") or []},
        **DETAILS.get(event, {}),
    }


def message_id(email_id: str) -> str:
    return f"<{email_id}@standin.invalid>"
