"""Every row of Resend's error table, and what it means for the mail."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from resend.exceptions import ResendError

from services.chassis.retrying import Failure, Fatal, NotTried, Transient
from services.notifications.emails.actions import AccountRefused, NotTaken, OtherMailUnderKey, classify

ITS_LIMITS = [
    (429, "rate_limit_exceeded", {"retry-after": "7"}, timedelta(seconds=7)),
    (429, "rate_limit_exceeded", {"Retry-After": "7"}, timedelta(seconds=7)),
    (429, "rate_limit_exceeded", {"retry-after": "soon"}, timedelta(seconds=1)),
    (429, "rate_limit_exceeded", {}, timedelta(seconds=1)),
    (429, "daily_quota_exceeded", {}, timedelta(hours=1)),
    (429, "monthly_quota_exceeded", {"retry-after": "7200"}, timedelta(hours=2)),
    (429, "monthly_quota_exceeded", {"retry-after": "9999999"}, timedelta(days=1)),
]
OUR_ACCOUNT = [
    (401, "missing_api_key"),
    (401, "restricted_api_key"),
    (403, "invalid_api_key"),
    (403, "validation_error"),
]
UNKNOWN = [
    (409, "concurrent_idempotent_requests", timedelta(seconds=2)),
    (408, "request_timeout", None),
    (500, "application_error", None),
    (500, "internal_server_error", None),
    (500, "HttpClientError", None),
    (502, "application_error", None),
    (503, "InternalServerError", None),
    ("503", "InternalServerError", None),
    ("what", "is this", None),
    (302, "application_error", None),
]
FATAL = [
    (400, "validation_error"),
    (400, "invalid_idempotency_key"),
    (404, "not_found"),
    (405, "method_not_allowed"),
    (409, "invalid_idempotent_request"),
    (422, "missing_required_field"),
    (422, "invalid_from_address"),
    (422, "validation_error"),
    (451, "security_error"),
]


def failure(code: int | str, error_type: str, headers: dict[str, str] | None = None) -> Failure:
    return classify(ResendError(code, error_type, "what Resend said", "", headers))


@pytest.mark.parametrize(("code", "error_type", "headers", "retry_after"), ITS_LIMITS)
def test_a_limit_says_when_and_costs_no_try(
    code: int, error_type: str, headers: dict[str, str], retry_after: timedelta
) -> None:
    found = failure(code, error_type, headers)
    assert isinstance(found, NotTried)
    assert found.retry_after == retry_after


@pytest.mark.parametrize(("code", "error_type"), OUR_ACCOUNT)
def test_a_refused_account_is_an_alarm_and_no_fault_of_the_mail(code: int, error_type: str) -> None:
    found = failure(code, error_type)
    assert isinstance(found, AccountRefused)
    assert found.retry_after is None


@pytest.mark.parametrize(("code", "error_type", "retry_after"), UNKNOWN)
def test_worth_another_try(code: int | str, error_type: str, retry_after: timedelta | None) -> None:
    found = failure(code, error_type)
    assert isinstance(found, Transient)
    assert not isinstance(found, NotTried | NotTaken)
    assert found.retry_after == retry_after


@pytest.mark.parametrize(("code", "error_type"), FATAL)
def test_for_a_person_to_look_at(code: int, error_type: str) -> None:
    found = failure(code, error_type)
    assert isinstance(found, Fatal)
    assert f"{code} {error_type}: what Resend said" in str(found)
    assert isinstance(found, OtherMailUnderKey) is (error_type == "invalid_idempotent_request")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx.ConnectError("refused"), NotTaken),
        (httpx.ConnectTimeout("nobody there"), NotTaken),
        (httpx.PoolTimeout("no connection free"), NotTaken),
        (httpx.ReadTimeout("silence"), Transient),
        (httpx.ReadError("reset"), Transient),
    ],
)
def test_what_never_reached_resend_surely_did_not_go_out(cause: Exception, kind: type[Failure]) -> None:
    error = ResendError(500, "HttpClientError", "what httpx said", "")
    error.__context__ = cause  # as when it is raised while the other is handled
    assert type(classify(error)) is kind
