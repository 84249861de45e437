"""Every way in which a call to Resend fails, told to the stand-in, and what the official SDK makes of it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
import resend
from resend.exceptions import (
    ApplicationError,
    InvalidApiKeyError,
    MissingApiKeyError,
    MissingRequiredFieldsError,
    RateLimitError,
    ResendError,
    ValidationError,
)
from resend.http_client_httpx import HTTPXClient

from tests.contract.running_resend import RunningResend, mail, send

pytestmark = pytest.mark.slow

KEY = "booking-confirmed/b1"
NO_ANSWER = "HttpClientError"
DAY_S = 24 * 60 * 60


class Row(NamedTuple):
    told: dict[str, Any]
    code: int
    name: str
    raised: type[ResendError] = ResendError
    mails: int = 0
    """In the outbox afterwards."""


ROWS = {
    "reset, nothing done": Row({"action": "reset_before"}, 500, NO_ANSWER),
    "reset, done": Row({"action": "accept_then_reset"}, 500, NO_ANSWER, mails=1),
    "half an answer, done": Row({"action": "accept_then_break_off"}, 500, NO_ANSWER, mails=1),
    "time-out, nothing done": Row({"action": "timeout_before"}, 500, NO_ANSWER),
    "time-out, done": Row({"action": "accept_then_timeout"}, 500, NO_ANSWER, mails=1),
    "500": Row({"action": "refuse", "name": "application_error"}, 500, "application_error", ApplicationError),
    "500 by its other name": Row({"action": "refuse", "name": "internal_server_error"}, 500, "internal_server_error"),
    "500, done": Row({"action": "accept_then_status", "code": 500}, 500, "InternalServerError", mails=1),
    "503 of a page": Row({"action": "status", "code": 503, "body": "<h1>Busy</h1>"}, 503, "application_error"),
    "502 of a proxy": Row({"action": "html_502"}, 502, "application_error"),
    "429": Row({"action": "refuse", "name": "rate_limit_exceeded"}, 429, "rate_limit_exceeded", RateLimitError),
    "429 of the day": Row(
        {"action": "refuse", "name": "daily_quota_exceeded"}, 429, "daily_quota_exceeded", RateLimitError
    ),
    "429 of the month": Row(
        {"action": "refuse", "name": "monthly_quota_exceeded"}, 429, "monthly_quota_exceeded", RateLimitError
    ),
    "409, under way": Row(
        {"action": "refuse", "name": "concurrent_idempotent_requests"}, 409, "concurrent_idempotent_requests"
    ),
    "409, another mail": Row(
        {"action": "refuse", "name": "invalid_idempotent_request"}, 409, "invalid_idempotent_request"
    ),
    "400, key": Row({"action": "refuse", "name": "invalid_idempotency_key"}, 400, "invalid_idempotency_key"),
    "401, none": Row({"action": "refuse", "name": "missing_api_key"}, 401, "missing_api_key", MissingApiKeyError),
    "401, restricted": Row({"action": "refuse", "name": "restricted_api_key"}, 401, "restricted_api_key"),
    "403, key": Row({"action": "refuse", "name": "invalid_api_key"}, 403, "invalid_api_key", InvalidApiKeyError),
    "403, domain": Row({"action": "refuse", "name": "domain_not_verified"}, 403, "validation_error"),
    "404": Row({"action": "refuse", "name": "not_found"}, 404, "not_found"),
    "422, field": Row(
        {"action": "refuse", "name": "missing_required_field"},
        422,
        "missing_required_field",
        MissingRequiredFieldsError,
    ),
    "422": Row({"action": "refuse", "name": "validation_error"}, 422, "validation_error", ValidationError),
    "422, attachment": Row({"action": "refuse", "name": "invalid_attachment"}, 422, "invalid_attachment"),
    "422, sender": Row({"action": "refuse", "name": "invalid_from_address"}, 422, "invalid_from_address"),
    "200 of broken JSON, done": Row({"action": "bad_json"}, 500, "application_error", ApplicationError, 1),
    "200 of garbage, done": Row({"action": "garbage"}, 500, "application_error", ApplicationError, 1),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_mail_that_fails_is_sent_once_when_it_is_sent_again(
    outbox: RunningResend, monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    await outbox.fault(**row.told)
    never_answered = row.told["action"] in {"timeout_before", "accept_then_timeout"}
    with monkeypatch.context() as patience:
        patience.setattr(resend, "default_async_http_client", HTTPXClient(timeout=2 if never_answered else 60))
        with pytest.raises(ResendError) as failed:
            await send(KEY)
    assert (failed.value.code, failed.value.error_type, type(failed.value)) == (row.code, row.name, row.raised)
    assert len(await outbox.sent()) == row.mails
    again = await send(KEY)
    assert [each["id"] for each in await outbox.sent()] == [again]


async def test_an_answer_without_an_id_raises_nothing(outbox: RunningResend) -> None:
    await outbox.fault("missing_field", field="id")
    assert not (await resend.Emails.send_async(mail(), {"idempotency_key": KEY})).get("id")
    assert len(await outbox.sent()) == 1


@pytest.mark.parametrize(
    ("told", "retry_after"),
    [
        ({"action": "refuse", "name": "rate_limit_exceeded"}, "1"),
        ({"action": "refuse", "name": "rate_limit_exceeded", "retry_after_s": 7}, "7"),
        ({"action": "refuse", "name": "daily_quota_exceeded"}, "3600"),
        ({"action": "status", "code": 429, "body": {"statusCode": 429, "name": "rate_limit_exceeded"}}, None),
    ],
)
async def test_a_limit_says_when_to_come_back_or_does_not(
    outbox: RunningResend, told: dict[str, Any], retry_after: str | None
) -> None:
    await outbox.fault(**told)
    with pytest.raises(RateLimitError) as limited:
        await send()
    assert limited.value.headers.get("retry-after") == retry_after


async def test_resend_is_down_for_two_hours_of_its_clock(outbox: RunningResend) -> None:
    await outbox.fault("reset_before", for_s=7200)
    for _ in range(3):
        with pytest.raises(ResendError, match="Request failed"):
            await send(KEY)
    await outbox.advance(7201)
    await send(KEY)
    assert len(await outbox.sent()) == 1


async def test_the_quota_of_a_day_is_full_until_midnight(outbox: RunningResend) -> None:
    await until_noon(outbox)
    await outbox.admin("limits", daily_quota=3)
    first = await resend.Emails.send_async(mail(cc=["leo@club.test"]), {"idempotency_key": KEY})
    assert first["http_headers"]["x-resend-daily-quota"] == "2"
    with pytest.raises(RateLimitError) as full:
        await send(to=["ana@club.test", "leo@club.test"])
    assert full.value.error_type == "daily_quota_exceeded"
    assert await send(KEY, cc=["leo@club.test"]) == first["id"]  # what was sent already costs nothing
    await outbox.advance(int(full.value.headers["retry-after"]))
    await send(to=["ana@club.test", "leo@club.test"])
    assert len(await outbox.sent()) == 2


async def test_the_quota_of_a_month_is_full_for_days(outbox: RunningResend) -> None:
    await until_noon(outbox)
    await outbox.admin("limits", monthly_quota=1)
    await send(KEY)
    with pytest.raises(RateLimitError) as full:
        await send()
    assert full.value.error_type == "monthly_quota_exceeded"
    await outbox.advance(31 * DAY_S)
    await send()


async def until_noon(outbox: RunningResend) -> None:
    """So that no midnight comes between two requests."""
    now = datetime.fromisoformat((await outbox.admin("clock", advance_s=0))["now"])
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    await outbox.advance((noon - now).total_seconds())


async def test_the_pace_is_what_a_test_says(outbox: RunningResend) -> None:
    await outbox.admin("limits", rate_per_s=2)
    assert any(await asyncio.gather(*(is_limited() for _ in range(40))))
    await outbox.admin("limits", rate_per_s=0)
    assert not any([await is_limited() for _ in range(40)])


async def is_limited() -> bool:
    try:
        await send()
    except RateLimitError:
        return True
    return False
