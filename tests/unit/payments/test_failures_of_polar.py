"""Every way in which a call to Polar fails, as the SDK itself raises it, and what we make of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from polar import PolarNetworkError
from polar.base import parse_response_json
from polar.v2026_10 import PolarAsync
from polar.v2026_10.errors import HTTPValidationError, RefundedAlready, ResourceNotFound
from polar.v2026_10.outputs import Checkout

from services.chassis.retrying import Fatal, Transient
from services.payments.actions import UNSAID_RETRY_AFTER, Outcome, Polar, classify

ERRORS: dict[int, Any] = {403: RefundedAlready, 404: ResourceNotFound, 422: HTTPValidationError}
INVALID = {
    "error": "RequestValidationError",
    "detail": [
        {"loc": ["body", "customer_email"], "msg": "ana@club.example has no mail server", "type": "value_error"}
    ],
}


def answered(status: int, *, headers: dict[str, str] | None = None, **body: Any) -> Exception:
    """What the SDK raises at this answer."""
    response = httpx.Response(status, headers=headers, **body)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which kind it is, is the question
        parse_response_json(response, Checkout, ERRORS)
    return raised.value


def network(cause: Exception) -> Exception:
    error = PolarNetworkError("it broke")
    error.__cause__ = cause
    return error


DEFINITELY_NOT, UNKNOWN, DONE = Outcome.DEFINITELY_NOT, Outcome.UNKNOWN, Outcome.DONE
CASES: list[tuple[str, Exception, Outcome, type[Exception]]] = [
    ("refused connection", network(httpx.ConnectError("refused")), DEFINITELY_NOT, Transient),
    ("no connection in time", network(httpx.ConnectTimeout("late")), DEFINITELY_NOT, Transient),
    ("no free connection", network(httpx.PoolTimeout("full")), DEFINITELY_NOT, Transient),
    ("no answer in time", network(httpx.ReadTimeout("late")), UNKNOWN, Transient),
    ("reset after the request", network(httpx.RemoteProtocolError("gone")), UNKNOWN, Transient),
    ("request half written", network(httpx.WriteError("gone")), UNKNOWN, Transient),
    ("deadline", TimeoutError(), UNKNOWN, Transient),
    ("500", answered(500, text="oops"), UNKNOWN, Transient),
    ("502 of a proxy", answered(502, html="<h1>Bad gateway</h1>"), UNKNOWN, Transient),
    ("429 with seconds", answered(429, headers={"Retry-After": "7"}), DEFINITELY_NOT, Transient),
    (
        "429 with a date",
        answered(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        DEFINITELY_NOT,
        Transient,
    ),
    ("429 without a word", answered(429), DEFINITELY_NOT, Transient),
    ("409", answered(409, json={"error": "CheckoutLocked", "detail": "wait"}), DEFINITELY_NOT, Transient),
    ("401", answered(401, json={"error": "invalid_token"}), DEFINITELY_NOT, Fatal),
    ("422", answered(422, json=INVALID), DEFINITELY_NOT, Fatal),
    ("404", answered(404, json={"error": "ResourceNotFound", "detail": "Not found"}), DEFINITELY_NOT, Fatal),
    ("404 of a proxy", answered(404, html="<h1>Nothing here</h1>"), UNKNOWN, Transient),
    ("refunded already", answered(403, json={"error": "RefundedAlready", "detail": "Refunded"}), DONE, Fatal),
    ("redirect", answered(302, headers={"Location": "/elsewhere"}), UNKNOWN, Transient),
    ("half a body", answered(201, content=b'{"id": "c1", "sta'), UNKNOWN, Transient),
    ("a body that is not UTF-8", answered(201, content=b'{"id": "\xff"}'), UNKNOWN, Transient),
    ("a checkout without its fields", answered(201, json={"id": "c1"}), UNKNOWN, Transient),
    ("422 in the other form", answered(422, json={"error": "X", "detail": "text"}), UNKNOWN, Transient),
    ("404 in another form", answered(404, json={"detail": "Not Found"}), UNKNOWN, Transient),
    ("403 of another kind", answered(403, json={"error": "RefundsBlocked", "detail": "no"}), UNKNOWN, Transient),
]


@pytest.mark.parametrize(("error", "outcome", "failure"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_failed_write_is_done_not_done_or_unknown(
    error: Exception, outcome: Outcome, failure: type[Exception]
) -> None:
    verdict = classify(error, writes=True)
    assert (verdict.outcome, type(verdict.failure)) == (outcome, failure)


def test_an_answer_to_a_read_that_the_sdk_does_not_know_needs_a_person() -> None:
    assert isinstance(classify(answered(200, json={"id": "c1"}), writes=False).failure, Fatal)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, timedelta(seconds=7)),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, UNSAID_RETRY_AFTER),
        ({}, UNSAID_RETRY_AFTER),
    ],
)
def test_polar_says_how_long_to_wait(headers: dict[str, str], wait: timedelta) -> None:
    failure = classify(answered(429, headers=headers), writes=True).failure
    assert isinstance(failure, Transient)
    assert failure.retry_after == wait


def test_a_refusal_says_where_but_repeats_no_address() -> None:
    reason = str(classify(answered(422, json=INVALID), writes=True).failure)
    assert reason == "Polar refused: 422 body.customer_email: value_error"


async def test_a_call_raises_what_the_retries_understand() -> None:
    polar = Polar(PolarAsync("token"), "product", "https://club.example/{BOOKING_ID}")
    with pytest.raises(Transient):
        async with polar.writing():
            raise network(httpx.ReadTimeout("late"))
    with pytest.raises(Fatal):
        async with polar.reading():
            raise answered(404, json={"error": "ResourceNotFound", "detail": "Not found"})
    await polar.close()
