"""Every way in which a call to Polar fails, told to the stand-in, and what the official SDK makes of it.

The rows are those of the table in services/payments/actions.py: whoever upgrades the SDK sees here which of them has changed.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from json import JSONDecodeError
from typing import Any, NamedTuple

import httpx
import pytest
from polar import PolarClientError, PolarDeserializationError, PolarNetworkError, PolarServerError
from polar.base import PolarRateLimitError
from polar.v2026_10 import PolarAsync
from polar.v2026_10.errors import HTTPValidationError, RefundedAlready, ResourceNotFound

from tests.contract.running_polar import PRODUCT, RunningPolar

IMPATIENT = httpx.Timeout(60, read=2)
"""For a call that is never answered, and for no other: the machine may be busy."""


@pytest.fixture
async def polar(standin: RunningPolar) -> AsyncIterator[PolarAsync]:
    async with standin.sdk() as polar:
        yield polar


class Row(NamedTuple):
    told: dict[str, Any]
    raised: type[Exception]
    opened: int = 0
    """Checkouts that Polar has afterwards."""
    facts: tuple[tuple[str, Any], ...] = ()
    """Of the exception."""


ROWS = {
    "reset, nothing done": Row({"action": "reset_before"}, PolarNetworkError),
    "reset, done": Row({"action": "accept_then_reset"}, PolarNetworkError, 1),
    "half an answer, done": Row({"action": "accept_then_break_off"}, PolarNetworkError, 1),
    "time-out, nothing done": Row({"action": "timeout_before"}, PolarNetworkError),
    "time-out, done": Row({"action": "accept_then_timeout"}, PolarNetworkError, 1),
    "time-out while bytes drip in": Row({"action": "drip", "pieces": 3, "delay_ms": 5000}, PolarNetworkError, 1),
    "500": Row({"action": "status", "code": 500}, PolarServerError, 0, (("status_code", 500),)),
    "500, done": Row({"action": "accept_then_status", "code": 500}, PolarServerError, 1, (("status_code", 500),)),
    "503 of a page": Row({"action": "status", "code": 503, "body": "<h1>Busy</h1>"}, PolarServerError),
    "502 of a proxy": Row({"action": "html_502"}, PolarServerError, 0, (("status_code", 502),)),
    "429 for seconds": Row(
        {"action": "status", "code": 429, "retry_after_s": 7}, PolarRateLimitError, 0, (("retry_after", 7),)
    ),
    "429 without a time": Row({"action": "status", "code": 429}, PolarRateLimitError, 0, (("retry_after", None),)),
    "429 until a date": Row(
        {"action": "status", "code": 429, "retry_after_s": 7, "retry_after_as": "date"}, ValueError
    ),
    "422, a list of places": Row({"action": "refuse", "name": "InvalidInput"}, HTTPValidationError),
    "422, a sentence": Row({"action": "refuse", "name": "CustomerExternalIdMismatch"}, PolarDeserializationError),
    "401": Row({"action": "refuse", "name": "InvalidToken"}, PolarClientError, 0, (("status_code", 401),)),
    "409": Row({"action": "refuse", "name": "CheckoutLocked"}, PolarClientError, 0, (("status_code", 409),)),
    "redirect": Row({"action": "status", "code": 307, "body": "", "headers": {"location": "/"}}, JSONDecodeError),
    "201 of broken JSON, done": Row({"action": "bad_json"}, JSONDecodeError, 1),
    "201 of garbage, done": Row({"action": "garbage"}, UnicodeDecodeError, 1),
    "201 of a status to come, done": Row({"action": "unknown_enum"}, PolarDeserializationError, 1),
    "201 without the amount, done": Row({"action": "missing_field", "field": "amount"}, PolarDeserializationError, 1),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_checkout_that_fails_is_there_or_is_not(standin: RunningPolar, polar: PolarAsync, row: Row) -> None:
    await standin.fault(**row.told, method="POST", path="/v1/checkouts/")
    never_answered = row.told["action"] in {"timeout_before", "accept_then_timeout", "drip"}
    async with standin.sdk(timeout=IMPATIENT if never_answered else 60) as caller:
        with pytest.raises(Exception) as failed:  # noqa: PT011 - which one is compared below, exactly
            await open_one(caller)
    assert type(failed.value) is row.raised
    assert tuple((name, getattr(failed.value, name)) for name, _ in row.facts) == row.facts
    assert len((await polar.checkouts.list()).items) == row.opened
    await open_one(polar)  # the fault struck once
    assert len((await polar.checkouts.list()).items) == row.opened + 1


async def open_one(polar: PolarAsync) -> None:
    await polar.checkouts.create(products=[PRODUCT], customer_email="ana@club.test")


READS = {
    "a resource that nobody has": ({"action": "refuse", "name": "ResourceNotFound"}, ResourceNotFound),
    "404 of something else": ({"action": "status", "code": 404, "body": {"detail": "No"}}, PolarDeserializationError),
    "404 of a page": ({"action": "status", "code": 404, "body": "<h1>Not here</h1>"}, JSONDecodeError),
    "a status to come": ({"action": "unknown_enum"}, PolarDeserializationError),
    "without its currency": ({"action": "missing_field", "field": "currency"}, PolarDeserializationError),
}


@pytest.mark.parametrize(("told", "raised"), READS.values(), ids=READS.keys())
async def test_an_order_cannot_be_read(
    standin: RunningPolar, polar: PolarAsync, told: dict[str, Any], raised: type[Exception]
) -> None:
    order = await standin.buy()
    await standin.fault(**told, method="GET", path="/v1/orders/*")
    with pytest.raises(raised):
        await polar.orders.get(order.id)
    assert (await polar.orders.get(order.id)).status == "paid"


REFUSED_REFUNDS: dict[str, type[Exception]] = {
    "RefundedAlready": RefundedAlready,
    "RefundsBlocked": PolarDeserializationError,
    "RefundDisputedPayment": PolarDeserializationError,
    "NotPermitted": PolarDeserializationError,
    "ResourceNotFound": PolarClientError,
    "InvalidInput": HTTPValidationError,
}


@pytest.mark.parametrize(("name", "raised"), REFUSED_REFUNDS.items())
async def test_a_refund_is_refused(
    standin: RunningPolar, polar: PolarAsync, name: str, raised: type[Exception]
) -> None:
    order = await standin.buy()
    await standin.fault("refuse", "POST", "/v1/refunds/", name=name)
    with pytest.raises(raised):
        await polar.refunds.create(order_id=order.id, reason="other", amount=2400)
    assert (await standin.look("ledger"))["refunds"] == 0


async def test_a_refund_whose_answer_is_lost_has_been_made(standin: RunningPolar, polar: PolarAsync) -> None:
    order = await standin.buy()
    await standin.fault("accept_then_reset", "POST", "/v1/refunds/")
    with pytest.raises(PolarNetworkError):
        await polar.refunds.create(order_id=order.id, reason="other", amount=2400, metadata={"refund_request_id": "r1"})
    [made] = (await polar.refunds.list(order_id=order.id)).items
    assert (made.status, made.metadata) == ("succeeded", {"refund_request_id": "r1"})
    ledger = await standin.look("ledger")
    assert (ledger["refunds"], ledger["balance_minor"]) == (1, 0)


async def test_a_date_to_come_back_is_written_as_http_writes_it(standin: RunningPolar) -> None:
    await standin.fault("status", code=429, retry_after_s=3600, retry_after_as="date")
    answer = await standin.http.get("/v1/orders/")
    until = datetime.strptime(answer.headers["retry-after"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert 3500 < (until - datetime.now(UTC)).total_seconds() <= 3600


async def test_a_fault_waits_for_its_turn_and_strikes_only_whom_it_means(standin: RunningPolar) -> None:
    await standin.fault("status", "POST", "/v1/checkouts/", contains="b7", code=500, skip=1, times=2)
    outcomes = {booking_id: [await opens(standin, booking_id) for _ in range(4)] for booking_id in ("b7", "b8")}
    assert outcomes == {"b7": [True, False, False, True], "b8": [True] * 4}
    [fault] = (await standin.look("faults"))["faults"]
    assert (fault["matched"], fault["fired"]) == (3, 2)


async def opens(standin: RunningPolar, booking_id: str) -> bool:
    try:
        await standin.open_checkout(booking_id=booking_id)
    except PolarServerError:
        return False
    return True


async def test_chance_strikes_the_same_calls_for_the_same_seed(standin: RunningPolar) -> None:
    outcomes = []
    for seed in (1, 1, 2):
        await standin.http.delete("/_admin/faults")
        await standin.fault("status", "POST", "/v1/checkouts/", code=500, probability=0.3, seed=seed)
        outcomes.append([await opens(standin, "b1") for _ in range(40)])
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert 3 < outcomes[0].count(False) < 25


async def test_polar_is_down_for_two_hours_of_its_clock(standin: RunningPolar, polar: PolarAsync) -> None:
    await standin.fault("reset_before", path="/v1/*", for_s=7200)
    for _ in range(3):
        with pytest.raises(PolarNetworkError):
            await polar.orders.list()
    await standin.admin("clock", advance_s=7201)
    assert (await polar.orders.list()).items == []


async def test_a_fault_that_is_taken_back_strikes_nobody(standin: RunningPolar, polar: PolarAsync) -> None:
    told = await standin.admin("faults", action="reset_before", times="always")
    with pytest.raises(PolarNetworkError):
        await polar.orders.list()
    assert (await standin.http.delete(f"/_admin/faults/{told['id']}")).json() == {"cleared": 1}
    assert (await standin.http.delete(f"/_admin/faults/{told['id']}")).status_code == 404
    assert (await polar.orders.list()).items == []


async def test_a_late_answer_is_a_right_answer(standin: RunningPolar, polar: PolarAsync) -> None:
    await standin.fault("delay", "GET", delay_ms=300)
    await standin.fault("drip", "GET", pieces=4, delay_ms=50, skip=1)
    async with asyncio.timeout(60):
        assert (await polar.orders.list()).items == []
        assert (await polar.orders.list()).items == []


async def test_a_fault_that_is_none_is_not_taken(standin: RunningPolar) -> None:
    for told in (
        {"action": "explode"},
        {"action": "refuse", "name": "Nobody"},
        {"action": "status", "code": 500, "colour": "red"},
        {"action": "reset_before", "probability": 2},
    ):
        assert (await standin.http.post("/_admin/faults", json=told)).status_code == 422
    assert (await standin.look("faults"))["faults"] == []


async def test_what_struck_stands_beside_the_request(standin: RunningPolar, polar: PolarAsync) -> None:
    await standin.fault("accept_then_reset", "POST")
    with pytest.raises(PolarNetworkError):
        await open_one(polar)
    request = (await standin.look("requests"))["requests"][0]
    assert (request["path"], request["fault"], request["status"]) == ("/v1/checkouts/", "accept_then_reset", 0)
