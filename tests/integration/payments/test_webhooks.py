"""Polar calls: what it signed is stored and passed on once, and what it did not sign leaves no trace."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from services.payments.webhooks.domain import PolarWebhook
from tests.integration.payments.builders import NEXT_SECRET, SECRET, Payments, signed, webhook

OTHER_SECRET = "whsec_b3RoZXI="


async def post(payments: Payments, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await payments.client.post("/webhooks/polar", content=body, headers=headers)


async def stored(payments: Payments, webhook_id: str) -> list[tuple[str, bytes]]:
    rows = await payments.rows("SELECT type, body FROM polar_webhooks WHERE webhook_id = :id", id=webhook_id)
    return [(row["type"], bytes(row["body"])) for row in rows]


@pytest.mark.parametrize("legacy", [False, True], ids=["standard", "legacy"])
@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET], ids=["secret", "next secret"])
async def test_a_signed_webhook_is_stored_and_passed_on(payments: Payments, secret: str, legacy: bool) -> None:
    webhook_id, checkout_id = str(uuid4()), str(uuid4())
    body = webhook("order.paid", id=str(uuid4()), checkout_id=checkout_id, note="ñ")
    answer = await post(payments, body, signed(body, webhook_id, secret, legacy=legacy))

    assert (answer.status_code, answer.content) == (202, b"")
    assert await stored(payments, webhook_id) == [("order.paid", body)]
    [record] = await payments.rows("SELECT * FROM outbox WHERE aggregateid = :key", key=checkout_id)
    assert (record["aggregatetype"], record["type"]) == ("payments.polar-webhooks", PolarWebhook.type)
    assert bytes(record["payload"]) == body


async def test_a_redelivered_webhook_is_absorbed(payments: Payments) -> None:
    webhook_id, checkout_id = str(uuid4()), str(uuid4())
    body = webhook("order.paid", id=str(uuid4()), checkout_id=checkout_id)
    answers = await asyncio.gather(*(post(payments, body, signed(body, webhook_id)) for _ in range(5)))

    assert [answer.status_code for answer in answers] == [202] * 5
    assert len(await stored(payments, webhook_id)) == 1
    assert await payments.records(checkout_id) == 1


@pytest.mark.parametrize(
    "body",
    [
        webhook("padel.tournament_won", id="t1"),
        webhook("order.paid", status="a status of next year"),
        b'{"type": "order.paid", "data": "not an object"}',
        b"[]",
        b"not json at all",
        webhook("order.paid\0", id="t1"),
    ],
    ids=["unknown type", "unknown shape", "no data", "no object", "no JSON", "a NUL in its type"],
)
async def test_what_we_do_not_know_is_stored_and_never_refused(payments: Payments, body: bytes) -> None:
    """A refusal would be repeated ten times, and count towards the end of the endpoint."""
    webhook_id = str(uuid4())
    assert (await post(payments, body, signed(body, webhook_id))).status_code == 202
    assert [kept for _, kept in await stored(payments, webhook_id)] == [body]
    assert await payments.records(webhook_id) == 1


async def test_a_checkout_whose_id_holds_a_nul_is_stored_and_never_refused(payments: Payments) -> None:
    webhook_id, body = str(uuid4()), webhook("order.paid", checkout_id="c\0")
    assert (await post(payments, body, signed(body, webhook_id))).status_code == 202
    assert [kept for _, kept in await stored(payments, webhook_id)] == [body]
    assert await payments.records("c\ufffd") == 1


def forged(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    return body, signed(body, webhook_id) | {"webhook-signature": "v1,Zm9yZ2Vk"}


def of_another(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    return body, signed(body, webhook_id, OTHER_SECRET)


def stale(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    return body, signed(body, webhook_id, age=timedelta(minutes=6))


def replayed(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    """What was recorded a week ago, and was good then."""
    return body, signed(body, webhook_id, age=timedelta(days=7))


def truncated(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    return body[:-10], signed(body, webhook_id)


def unsigned(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    return body, {"webhook-id": webhook_id}


def not_text(body: bytes, webhook_id: str) -> tuple[bytes, dict[str, str]]:
    return body + b"\xff", signed(body, webhook_id)


@pytest.mark.parametrize("make", [forged, of_another, stale, replayed, truncated, unsigned, not_text])
async def test_what_polar_did_not_sign_just_now_is_refused(payments: Payments, make: object) -> None:
    assert callable(make)
    webhook_id, checkout_id = str(uuid4()), str(uuid4())
    body, headers = make(webhook("order.paid", id=str(uuid4()), checkout_id=checkout_id), webhook_id)
    answer = await post(payments, body, headers)

    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert answer.json()["code"] == "signature-not-valid"
    assert await stored(payments, webhook_id) == []
    assert await payments.records(checkout_id) == 0


async def test_a_body_without_end_is_turned_away(payments: Payments) -> None:
    webhook_id = str(uuid4())
    body = webhook("order.paid", note="x" * 2_000_000)
    answer = await post(payments, body, signed(body, webhook_id))
    assert answer.status_code == 413
    assert await stored(payments, webhook_id) == []


async def test_fifty_at_once_are_a_few_commits(payments: Payments) -> None:
    """One for the first, one for all that came while it was under way, and perhaps one for latecomers."""
    told = {str(uuid4()): webhook("order.paid", id=str(uuid4()), checkout_id=str(uuid4())) for _ in range(50)}
    answers = await asyncio.gather(*(post(payments, body, signed(body, name)) for name, body in told.items()))

    assert [answer.status_code for answer in answers] == [202] * len(told)
    assert [await stored(payments, name) for name in told] == [[("order.paid", body)] for body in told.values()]
    found = await payments.rows(
        "SELECT DISTINCT xmin::text FROM polar_webhooks WHERE webhook_id = ANY(:names)", names=[*told]
    )
    assert len(found) <= 3


async def test_one_that_cannot_be_stored_takes_no_other_along(payments: Payments) -> None:
    """An id that is longer than what an index of PostgreSQL holds."""
    body, names = webhook("order.paid", id=str(uuid4())), [str(uuid4()) for _ in range(9)]
    too_long = "".join(str(uuid4()) for _ in range(200))
    answers = await asyncio.gather(
        *(post(payments, body, signed(body, name)) for name in (names[0], too_long, *names[1:]))
    )

    assert [answer.status_code for answer in answers] == [202, 500] + [202] * 8
    assert [len(await stored(payments, name)) for name in names] == [1] * len(names)
    assert await stored(payments, too_long) == []


async def test_each_of_many_goes_on_in_its_own_trace_and_those_of_one_checkout_in_their_order(
    payments: Payments,
) -> None:
    checkout_id = str(uuid4())
    traces = [f"00-{number:032x}-00f067aa0ba902b7-01" for number in range(1, 31)]
    told = [
        (webhook("order.paid", checkout_id=checkout_id, metadata={"traceparent": trace}), str(uuid4()))
        for trace in traces
    ]
    requests = [signed(body, name) | {"x-request-id": f"request-{number}"} for number, (body, name) in enumerate(told)]
    answers = await asyncio.gather(
        *(post(payments, body, headers) for (body, _), headers in zip(told, requests, strict=True))
    )

    assert [answer.status_code for answer in answers] == [202] * len(told)
    found = await payments.rows(
        "SELECT payload, headers FROM outbox WHERE aggregateid = :key ORDER BY seq", key=checkout_id
    )
    assert [bytes(row["payload"]) for row in found] == [body for body, _ in told]
    assert [row["headers"]["traceparent"].split("-")[1] for row in found] == [trace.split("-")[1] for trace in traces]
    assert [row["headers"]["ce_correlationid"] for row in found] == [f"request-{number}" for number in range(len(told))]


async def test_one_that_another_process_is_just_storing_takes_no_other_along(payments: Payments) -> None:
    body, contended, names = webhook("order.paid", id=str(uuid4())), str(uuid4()), [str(uuid4()) for _ in range(9)]
    async with payments.chassis.database.pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        row = "INSERT INTO polar_webhooks (id, webhook_id, type, body, received_at) VALUES (gen_random_uuid(), $1, '', '', now())"
        await other.execute(row, contended)
        everybody = (names[0], contended, *names[1:])
        answers = await asyncio.gather(*(post(payments, body, signed(body, name)) for name in everybody))
        await transaction.rollback()

    assert [answer.status_code for answer in answers] == [202, 503] + [202] * 8
    assert [len(await stored(payments, name)) for name in names] == [1] * len(names)


async def test_who_hangs_up_takes_no_other_along(payments: Payments) -> None:
    body, names = webhook("order.paid", id=str(uuid4())), [str(uuid4()) for _ in range(10)]
    async with asyncio.TaskGroup() as deliveries:
        waiting = [deliveries.create_task(post(payments, body, signed(body, name))) for name in names]
        await asyncio.sleep(0)
        waiting[3].cancel()
    assert [(await one).status_code for one in waiting if not one.cancelled()] == [202] * 9
    assert [len(await stored(payments, name)) for name in names[:3] + names[4:]] == [1] * 9
