"""Every row of Resend's error table, and what it means for the mail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from resend.exceptions import ResendError

from services.chassis.retrying import Failure, Fatal, Transient
from services.notifications.emails.actions import classify

TRANSIENT = [
    (429, "rate_limit_exceeded", {"retry-after": "7"}, timedelta(seconds=7)),
    (429, "rate_limit_exceeded", {"Retry-After": "7"}, timedelta(seconds=7)),
    (429, "rate_limit_exceeded", {"retry-after": "soon"}, timedelta(seconds=1)),
    (429, "rate_limit_exceeded", {}, timedelta(seconds=1)),
    (429, "daily_quota_exceeded", {}, timedelta(hours=1)),
    (429, "monthly_quota_exceeded", {"retry-after": "7200"}, timedelta(hours=2)),
    (409, "concurrent_idempotent_requests", {}, timedelta(seconds=2)),
    (408, "request_timeout", {}, None),
    (500, "application_error", {}, None),
    (500, "internal_server_error", {}, None),
    (500, "HttpClientError", {}, None),
    (502, "application_error", {}, None),
    (503, "InternalServerError", {}, None),
    ("503", "InternalServerError", {}, None),
    ("what", "is this", {}, None),
    (302, "application_error", {}, None),
]
FATAL = [
    (400, "validation_error"),
    (400, "invalid_idempotency_key"),
    (401, "missing_api_key"),
    (401, "restricted_api_key"),
    (403, "invalid_api_key"),
    (403, "validation_error"),
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


@pytest.mark.parametrize(("code", "error_type", "headers", "retry_after"), TRANSIENT)
def test_worth_another_try(
    code: int | str, error_type: str, headers: dict[str, str], retry_after: timedelta | None
) -> None:
    found = failure(code, error_type, headers)
    assert isinstance(found, Transient)
    assert found.retry_after == retry_after


@pytest.mark.parametrize(("code", "error_type"), FATAL)
def test_for_a_person_to_look_at(code: int, error_type: str) -> None:
    found = failure(code, error_type)
    assert isinstance(found, Fatal)
    assert f"{code} {error_type}: what Resend said" in str(found)


def test_a_refused_key_raises_the_alarm_and_our_own_bug_says_so() -> None:
    assert str(failure(401, "missing_api_key")).startswith("ALERT")
    assert str(failure(409, "invalid_idempotent_request")).startswith("our bug")
