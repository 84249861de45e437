"""Staff look at payments, and give money back."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.booking.venues.seed import VENUE_ID
from tests.integration.payments.exchange import Exchange, Visit

REASON = {"reason": "The lights went out"}


@pytest.fixture
async def visit(exchange: Exchange) -> Visit:
    """Paid for and confirmed."""
    visit = await exchange.hold()
    await exchange.tell_paid(await exchange.pay(visit), visit.checkout_id)
    await exchange.carry()
    return visit


async def account(exchange: Exchange, visit: Visit) -> dict[str, Any]:
    [found] = await exchange.accounts(visit)
    return found


async def refund(exchange: Exchange, payment: dict[str, Any], **request: Any) -> Any:
    return await exchange.payments.ask("POST", payment["links"]["self"] + "/refund", "Marta", **request)


async def test_a_payment_tells_its_story(exchange: Exchange, visit: Visit) -> None:
    payment = await account(exchange, visit)
    assert (payment["state"], payment["paid"]) == ("paid", {"amount": 2400, "currency": "EUR"})
    assert [(step["step"], step["actor"]) for step in payment["timeline"]] == [
        ("begun", "booking"),
        ("opened", "payments"),
        ("paid", "polar"),
    ]
    await exchange.cancel(visit)
    await exchange.carry()
    payment = await account(exchange, visit)
    assert [(step["step"], step["actor"]) for step in payment["timeline"]][3:] == [
        ("refund_requested", "booking"),
        ("refunded", "payments"),
    ]
    assert (payment["refunded"]["amount"], payment["refundable"]["amount"]) == (2400, 0)
    assert payment["links"]["refund"] is None
    await exchange.must_close(visit)


async def test_money_that_staff_give_back_ends_the_booking_and_says_who_and_why(
    exchange: Exchange, visit: Visit
) -> None:
    payment = await account(exchange, visit)
    answer = await refund(exchange, payment, json=REASON)
    assert (answer.status_code, answer.json()["state"]) == (202, "requested")
    assert answer.headers["Location"] == payment["links"]["self"]
    await exchange.carry()

    assert await exchange.status(visit) == "cancelled"
    step = next(one for one in (await account(exchange, visit))["timeline"] if one["step"] == "refund_requested")
    assert step["details"]["comment"] == REASON["reason"]
    assert step["actor"] not in ("booking", "payments", "polar", "reconciler")
    await exchange.must_close(visit)


async def test_a_part_leaves_the_booking_as_it_is(exchange: Exchange, visit: Visit) -> None:
    payment = await account(exchange, visit)
    assert (await refund(exchange, payment, json=REASON | {"amount_minor": 500})).status_code == 202
    await exchange.carry()
    assert await exchange.status(visit) == "confirmed"
    ledger = await exchange.ledger(visit)
    assert (ledger["refunds"], ledger["balance_minor"]) == (1, 1900)

    too_much = await refund(exchange, payment, json=REASON | {"amount_minor": 1901})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "refund-exceeds-payment")
    assert too_much.json()["refundable_minor"] == 1900
    await exchange.cancel(visit)
    await exchange.carry()
    await exchange.must_close(visit)


async def test_two_parts_at_once_go_back_one_after_the_other(exchange: Exchange, visit: Visit) -> None:
    payment = await account(exchange, visit)
    answers = await asyncio.gather(*(refund(exchange, payment, json=REASON | {"amount_minor": 1000}) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [202, 202, 409]
    await exchange.carry()
    ledger = await exchange.ledger(visit)
    assert [entry["amount"] for entry in ledger["entries"]] == [2400, 1000, 1000]
    assert (await refund(exchange, payment, json=REASON)).status_code == 202
    await exchange.carry()
    await exchange.must_close(visit)


async def test_the_same_request_with_the_same_key_refunds_once(exchange: Exchange, visit: Visit) -> None:
    payment, key = await account(exchange, visit), {"Idempotency-Key": str(uuid4())}
    part = REASON | {"amount_minor": 100}
    first, again = [await refund(exchange, payment, json=part, headers=key) for _ in range(2)]
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await refund(exchange, payment, json=REASON | {"amount_minor": 101}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    await exchange.carry()
    assert (await exchange.ledger(visit))["refunds"] == 1


async def test_what_has_gone_back_does_not_go_back_again(exchange: Exchange, visit: Visit) -> None:
    payment = await account(exchange, visit)
    await exchange.cancel(visit)
    await exchange.carry()
    refused = await refund(exchange, payment, json=REASON)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-to-refund")
    await exchange.must_close(visit)


async def test_a_refund_that_polar_blocks_is_owed_and_waits_for_a_person(exchange: Exchange, visit: Visit) -> None:
    await exchange.payments.standin.fail("refuse", "POST", "/v1/refunds/", visit.booking_id, name="RefundsBlocked")
    await exchange.cancel(visit)
    await exchange.carry()
    payment = await account(exchange, visit)
    assert payment["refund_failed"]
    assert [one["failure"] for one in payment["refunds"]] == ["Polar refused: 403 RefundsBlocked"]
    await refund(exchange, payment, json=REASON)
    await exchange.carry()
    await exchange.must_close(visit)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 501},
        {"reason": "nul \x00"},
        REASON | {"amount_minor": 0},
        REASON | {"amount_minor": -5},
        REASON | {"amount_minor": 12.5},
        REASON | {"amount_minor": 2**31},
        REASON | {"currency": "USD"},
        REASON | {"order_id": ""},
    ],
)
async def test_a_refund_that_makes_no_sense_is_refused(exchange: Exchange, visit: Visit, body: dict[str, Any]) -> None:
    refused = await refund(exchange, await account(exchange, visit), json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "request-not-valid")
    assert (await account(exchange, visit))["refunds"] == []


async def test_staff_see_the_payments_of_their_venues_alone(exchange: Exchange, visit: Visit) -> None:
    ask, path = exchange.payments.ask, (await account(exchange, visit))["links"]["self"]
    await exchange.payments.hire("Rosa", VENUE_ID)
    await exchange.payments.hire("Ivan", uuid4())
    assert (await ask("GET", path, "Rosa", "staff")).status_code == 200
    assert (await ask("GET", path, "Ivan", "staff")).status_code == 404
    assert (await ask("POST", path + "/refund", "Ivan", "staff", json=REASON)).status_code == 404
    listed = await ask("GET", f"/v1/payments?booking_id={visit.booking_id}", "Ivan", "staff")
    assert (listed.status_code, listed.json()) == (200, {"items": []})

    await exchange.payments.hire("Rosa")
    assert (await ask("GET", path, "Rosa", "staff")).status_code == 403, "dismissed"


async def test_the_quarantine_is_read_page_by_page(exchange: Exchange) -> None:
    wanted = set()
    for _ in range(3):
        visit = await exchange.hold()
        await exchange.payments.change(
            "UPDATE payment_attempts SET currency = 'GBP' WHERE booking_id = :id", id=visit.booking_id
        )
        order_id = await exchange.pay(visit)
        await exchange.tell_paid(order_id, visit.checkout_id)
        wanted.add(order_id)
    await exchange.carry()
    await exchange.payments.hire("Nuria", VENUE_ID)

    seen, path = list[str](), "/v1/quarantine?limit=2"
    while path:
        page = await exchange.payments.ask("GET", path, "Nuria", "staff")
        assert page.status_code == 200, page.text
        assert len(page.json()["items"]) <= 2
        seen += [one["order_id"] for one in page.json()["items"]]
        path = page.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert wanted <= set(seen)
    assert len(seen) == len(set(seen))
    other = await exchange.payments.ask("GET", "/v1/quarantine?limit=2&cursor=nonsense", "Nuria", "staff")
    assert (other.status_code, other.json()["code"]) == (400, "cursor-not-valid")
