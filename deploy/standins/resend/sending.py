"""Taking a mail in, exactly once per idempotency key, and what becomes of it."""

import asyncio
import hashlib
import json
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

from deploy.standins.resend import life, limits, mail
from deploy.standins.resend.errors import (
    InvalidIdempotencyKey,
    InvalidMail,
    KeyUsedForAnotherMail,
    NotFound,
    ResendError,
)
from deploy.standins.resend.state import Document, Outbox

KEY_LIFETIME_S = 24 * 60 * 60
LONGEST_KEY = 256
LARGEST_BATCH = 100


async def once(outbox: Outbox, key: str | None, body: Any, accept: Callable[[], Document]) -> Document:
    """The answer of `accept`; when this key has been answered within 24 h, that answer, and nothing is sent.

    Only successes are kept: after a refusal the same key may come with a better mail.
    """
    if key is None:
        await asyncio.sleep(outbox.settings.latency_s)
        return accept()
    if not 1 <= len(key) <= LONGEST_KEY:
        raise InvalidIdempotencyKey
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    with outbox.holding(key):
        known = _known_answer(outbox, key, digest)
        if known is not None:
            return known
        await asyncio.sleep(outbox.settings.latency_s)
        with outbox.database.transaction():
            answer = accept()
            outbox.database.execute(
                "INSERT OR REPLACE INTO idempotency_keys (key, body_sha256, answer, created_at) VALUES (?, ?, ?, ?)",
                (key, digest, json.dumps(answer), outbox.clock.now()),
            )
        return answer


def accept_one(outbox: Outbox, body: Any, key: str | None) -> Document:
    return {"id": _store(outbox, mail.checked(outbox, body), key)}


def accept_batch(outbox: Outbox, body: Any, key: str | None, *, permissive: bool) -> Document:
    """Strict: all or none. Permissive: the good ones, and a list of what is wrong with the others.

    Attachments and schedules are dropped without a word, as Resend does in a batch.
    """
    if not isinstance(body, list) or not 1 <= len(body) <= LARGEST_BATCH:
        raise InvalidMail(f"The batch must be an array of 1 to {LARGEST_BATCH} emails.")
    sent, refused = [], []
    with outbox.database.transaction():
        for index, item in enumerate(body):
            try:
                checked = mail.checked(outbox, item)
            except ResendError as error:
                if not permissive:
                    raise
                refused.append({"index": index, "message": error.message})
                continue
            sent.append({"id": _store(outbox, {**checked, "attachments": [], "scheduled_at": None}, key)})
    return {"data": sent, "errors": refused} if permissive else {"data": sent}


def reschedule(outbox: Outbox, email_id: str, scheduled_at: Any) -> None:
    instant = mail.scheduled(outbox, scheduled_at)
    _check_scheduled(outbox, email_id)
    life.move(outbox, email_id, instant)


def cancel(outbox: Outbox, email_id: str) -> None:
    _check_scheduled(outbox, email_id)
    life.cancel(outbox, email_id)


def find(outbox: Outbox, email_id: str) -> sqlite3.Row:
    """NotFound when there is none."""
    life.catch_up(outbox)
    row = outbox.database.row("SELECT * FROM emails WHERE id = ?", (email_id,))
    if row is None:
        raise NotFound
    return row


def _store(outbox: Outbox, checked: Document, key: str | None) -> str:
    email_id = str(uuid.uuid4())
    recipients = sum(len(checked.get(name) or []) for name in ("to", "cc", "bcc"))
    limits.check_quotas(outbox, recipients)
    scheduled_at = mail.scheduled(outbox, checked["scheduled_at"]) if checked.get("scheduled_at") else None
    with outbox.database.transaction():
        outbox.database.execute(
            "INSERT INTO emails (id, created_at, idempotency_key, content, last_event, scheduled_at, recipients) "
            "VALUES (?, ?, ?, ?, 'queued', ?, ?)",
            (email_id, outbox.clock.now(), key, json.dumps(checked), scheduled_at, recipients),
        )
        life.begin(outbox, email_id, checked["to"][0], scheduled_at)
    return email_id


def _check_scheduled(outbox: Outbox, email_id: str) -> None:
    if find(outbox, email_id)["last_event"] != "scheduled":
        raise InvalidMail("The email is not scheduled, or has been sent already.")


def _known_answer(outbox: Outbox, key: str, digest: str) -> Document | None:
    since = outbox.clock.now() - KEY_LIFETIME_S
    row = outbox.database.row("SELECT * FROM idempotency_keys WHERE key = ? AND created_at > ?", (key, since))
    if row is None:
        return None
    if row["body_sha256"] != digest:
        raise KeyUsedForAnotherMail
    answer: Document = json.loads(row["answer"])
    return answer
