"""Resend calls: what it signed is stored and passed on once, and what it did not sign leaves no trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from svix.webhooks import Webhook

from services.notifications.webhooks.domain import ResendWebhook
from services.notifications.webhooks.mutations import purge
from tests.integration.notifications.desk import Desk
from tests.integration.notifications.provider import NEXT_WEBHOOK_SECRET, WEBHOOK_SECRET

OTHER_SECRET = "whsec_c29tZWJvZHkgZWxzZSdz"


def signed(body: bytes, webhook_id: str, secret: str = WEBHOOK_SECRET, at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign(webhook_id, at, body.decode(errors="replace"))
    return {"svix-id": webhook_id, "svix-timestamp": str(int(at.timestamp())), "svix-signature": signature}


def a_webhook(kind: str = "email.delivered", **data: object) -> bytes:
    told = {"type": kind, "created_at": datetime.now(UTC).isoformat(), "data": {"email_id": str(uuid4()), **data}}
    return json.dumps(told).encode()


async def stored(desk: Desk, webhook_id: str) -> list[bytes]:
    query = text("SELECT body FROM resend_webhooks WHERE webhook_id = :id")
    async with desk.worker.unit_of_work() as work:
        return [bytes(body) for body in await work.session.scalars(query, {"id": webhook_id})]


@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, NEXT_WEBHOOK_SECRET], ids=["secret", "next secret"])
async def test_a_signed_webhook_is_stored_and_passed_on(desk: Desk, secret: str) -> None:
    webhook_id, body = str(uuid4()), a_webhook(note="ñ")
    answer = await desk.client.post("/webhooks/resend", content=body, headers=signed(body, webhook_id, secret))
    assert (answer.status_code, answer.content) == (202, b"")
    assert await stored(desk, webhook_id) == [body]
    (record,) = await desk.worker.told(json.loads(body)["data"]["email_id"])
    assert (record["topic"], record["type"]) == ("notifications.resend-webhooks", ResendWebhook.type)
    assert bytes(record["payload"]) == body


async def test_a_redelivered_webhook_is_absorbed(desk: Desk) -> None:
    webhook_id, body = str(uuid4()), a_webhook()
    headers = signed(body, webhook_id)
    answers = await asyncio.gather(
        *(desk.client.post("/webhooks/resend", content=body, headers=headers) for _ in range(5))
    )
    assert [answer.status_code for answer in answers] == [202] * 5
    assert len(await stored(desk, webhook_id)) == 1
    assert len(await desk.worker.told(json.loads(body)["data"]["email_id"])) == 1


@pytest.mark.parametrize(
    "body",
    [a_webhook("email.teleported"), a_webhook("contact.created"), b'{"type": "email.sent", "data": 7}', b"[]"],
    ids=["unknown type", "no mail", "unknown shape", "no object"],
)
async def test_what_resend_may_say_one_day_is_kept(desk: Desk, body: bytes) -> None:
    webhook_id = str(uuid4())
    answer = await desk.client.post("/webhooks/resend", content=body, headers=signed(body, webhook_id))
    assert answer.status_code == 202
    assert await stored(desk, webhook_id) == [body]


BODY = a_webhook()
FORGED: dict[str, Callable[[str], tuple[bytes, dict[str, str]]]] = {
    "other secret": lambda one: (BODY, signed(BODY, one, OTHER_SECRET)),
    "other body": lambda one: (BODY + b" ", signed(BODY, one)),
    "other id": lambda one: (BODY, signed(BODY, one) | {"svix-id": str(uuid4())}),
    "old": lambda one: (BODY, signed(BODY, one, at=datetime.now(UTC) - timedelta(minutes=6))),
    "early": lambda one: (BODY, signed(BODY, one, at=datetime.now(UTC) + timedelta(minutes=6))),
    "garbage": lambda one: (BODY, signed(BODY, one) | {"svix-signature": "v1,not base64"}),
    "no time": lambda one: (BODY, signed(BODY, one) | {"svix-timestamp": "today"}),
    "no UTF-8": lambda one: (b"\xff" + BODY, signed(BODY, one)),
    "no JSON": lambda one: (b"no JSON", signed(b"no JSON", one)),
    "unsigned": lambda _: (BODY, {}),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_what_resend_did_not_sign_leaves_no_trace(
    desk: Desk, forge: Callable[[str], tuple[bytes, dict[str, str]]]
) -> None:
    body, headers = forge(str(uuid4()))
    answer = await desk.client.post("/webhooks/resend", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "signature-not-valid")
    assert await stored(desk, headers.get("svix-id", "")) == []


async def test_webhooks_go_when_kafkas_copies_go(desk: Desk) -> None:
    new, old = str(uuid4()), str(uuid4())
    for webhook_id in (new, old):
        body = a_webhook()
        await desk.client.post("/webhooks/resend", content=body, headers=signed(body, webhook_id))
    async with desk.worker.unit_of_work() as work:
        aged = text("UPDATE resend_webhooks SET received_at = received_at - interval '91 days' WHERE webhook_id = :id")
        await work.session.execute(aged, {"id": old})
        assert await purge(work) == 1
    assert (len(await stored(desk, new)), await stored(desk, old)) == (1, [])
