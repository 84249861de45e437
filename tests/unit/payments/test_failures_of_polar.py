"""Every way in which a call to Polar fails, as the SDK itself raises it, and what we make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from polar import PolarNetworkError
from polar.base import parse_response_json
from polar.v2026_10 import PolarAsync
from polar.v2026_10.errors import HTTPValidationError, RefundedAlready, ResourceNotFound
from polar.v2026_10.outputs import Checkout

from services.chassis.retrying import Fatal, Transient
from services.payments.actions import Polar
from services.payments.failures import (
    LONGEST_RETRY_AFTER,
    UNSAID_RETRY_AFTER,
    CallFailed,
    DoneBefore,
    NotDone,
    NotUnderstood,
    Outcome,
    OutcomeUnknown,
    Refused,
    classify,
)

ERRORS: dict[int, Any] = {403: RefundedAlready, 404: ResourceNotFound, 422: HTTPValidationError}
INVALID = {
    "error": "RequestValidationError",
    "detail": [
        {"loc": ["body", "customer_email"], "msg": "ana@club.example has no mail server", "type": "value_error"}
    ],
}


NOW = datetime(2026, 10, 21, 7, 27, tzinfo=UTC)


def answered(status: int, *, headers: dict[str, str] | None = None, **body: Any) -> tuple[Exception, httpx.Response]:
    """What the SDK raises at this answer, and the answer."""
    response = httpx.Response(status, headers=headers, **body)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which kind it is, is the question
        parse_response_json(response, Checkout, ERRORS)
    return raised.value, response


def network(cause: Exception) -> tuple[Exception, None]:
    error = PolarNetworkError("it broke")
    error.__cause__ = cause
    return error, None


NOT, UNKNOWN, DONE = NotDone, OutcomeUnknown, DoneBefore
Failed = tuple[Exception, httpx.Response | None]
CASES: list[tuple[str, Failed, type[CallFailed]]] = [
    ("refused connection", network(httpx.ConnectError("refused")), NOT),
    ("no connection in time", network(httpx.ConnectTimeout("late")), NOT),
    ("no free connection", network(httpx.PoolTimeout("full")), NOT),
    ("no answer in time", network(httpx.ReadTimeout("late")), UNKNOWN),
    ("reset after the request", network(httpx.RemoteProtocolError("gone")), UNKNOWN),
    ("request half written", network(httpx.WriteError("gone")), UNKNOWN),
    ("deadline", (TimeoutError(), None), UNKNOWN),
    ("500", answered(500, text="oops"), UNKNOWN),
    ("502 of a proxy", answered(502, html="<h1>Bad gateway</h1>"), UNKNOWN),
    ("429 with seconds", answered(429, headers={"Retry-After": "7"}), NOT),
    ("429 with a date", answered(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), NOT),
    ("429 without a word", answered(429), NOT),
    ("409", answered(409, json={"error": "RefundInFlight", "detail": "wait"}), UNKNOWN),
    ("408", answered(408, json={"error": "RequestTimeout", "detail": "late"}), UNKNOWN),
    ("401", answered(401, json={"error": "invalid_token"}), NOT),
    ("422", answered(422, json=INVALID), Refused),
    ("404", answered(404, json={"error": "ResourceNotFound", "detail": "Not found"}), Refused),
    ("405", answered(405, json={"detail": "Method Not Allowed"}), Refused),
    ("404 of a proxy", answered(404, html="<h1>Nothing here</h1>"), UNKNOWN),
    ("refunded already", answered(403, json={"error": "RefundedAlready", "detail": "Refunded"}), DONE),
    ("redirect", answered(302, headers={"Location": "/elsewhere"}), UNKNOWN),
    ("half a body", answered(201, content=b'{"id": "c1", "sta'), UNKNOWN),
    ("a body that is not UTF-8", answered(201, content=b'{"id": "\xff"}'), UNKNOWN),
    ("a checkout without its fields", answered(201, json={"id": "c1"}), UNKNOWN),
    ("422 in the other form", answered(422, json={"error": "X", "detail": "text"}), Refused),
    ("404 in another form", answered(404, json={"detail": "Not Found"}), Refused),
    ("403 of another kind", answered(403, json={"error": "RefundsBlocked", "detail": "no"}), Refused),
]
OUTCOMES = {NOT: Outcome.DEFINITELY_NOT, Refused: Outcome.DEFINITELY_NOT, UNKNOWN: Outcome.UNKNOWN, DONE: Outcome.DONE}


@pytest.mark.parametrize(("failed", "kind"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_failed_write_is_done_not_done_or_unknown(failed: Failed, kind: type[CallFailed]) -> None:
    failure = classify(*failed, NOW, writes=True)
    assert type(failure) is kind
    assert failure.outcome is OUTCOMES[kind]
    assert isinstance(failure, Fatal if kind in (Refused, DONE) else Transient)


def test_an_answer_to_a_read_that_the_sdk_does_not_know_needs_a_person() -> None:
    failure = classify(*answered(200, json={"id": "c1"}), NOW, writes=False)
    assert isinstance(failure, NotUnderstood)
    assert isinstance(failure, Fatal)


def test_an_object_that_polar_is_busy_with_may_be_read_again() -> None:
    assert type(classify(*answered(409, json={"error": "CheckoutLocked"}), NOW, writes=False)) is NotDone


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, timedelta(seconds=7)),
        ({"Retry-After": "0"}, timedelta(0)),
        ({"Retry-After": "9" * 30}, LONGEST_RETRY_AFTER),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, timedelta(minutes=1)),
        ({"Retry-After": "Wed, 21 Oct 2026 07:20:00 GMT"}, timedelta(0)),
        ({"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, LONGEST_RETRY_AFTER),
        ({"Retry-After": "soon"}, UNSAID_RETRY_AFTER),
        ({"Retry-After": "-5"}, UNSAID_RETRY_AFTER),
        ({}, UNSAID_RETRY_AFTER),
    ],
)
def test_polar_says_how_long_to_wait(headers: dict[str, str], wait: timedelta) -> None:
    failure = classify(*answered(429, headers=headers), NOW, writes=True)
    assert isinstance(failure, NotDone)
    assert failure.retry_after == wait


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (answered(422, json=INVALID), "Polar refused: 422 body.customer_email: value_error"),
        (
            answered(403, json={"error": "RefundsBlocked", "detail": "ana@club.example"}),
            "Polar refused: 403 RefundsBlocked",
        ),
        (answered(405, json={"error": "ana@club.example"}), "Polar refused: 405 PolarClientError"),
    ],
)
def test_a_refusal_says_where_but_repeats_no_address(failed: Failed, reason: str) -> None:
    assert str(classify(*failed, NOW, writes=True)) == reason


async def test_a_call_raises_what_the_retries_understand() -> None:
    polar = Polar(PolarAsync("token"), "product", "https://club.example/{BOOKING_ID}")
    with pytest.raises(Transient):
        async with polar.writing():
            raise network(httpx.ReadTimeout("late"))[0]
    with pytest.raises(Fatal):
        async with polar.reading():
            raise answered(404, json={"error": "ResourceNotFound", "detail": "Not found"})[0]
    await polar.close()
