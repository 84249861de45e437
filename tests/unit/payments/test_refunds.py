"""The life of a refund: when Polar may be asked, and which of its answers are news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.payments.refunds.domain import (
    CallNotSettled,
    OtherRefundUnderWay,
    PolarRefund,
    State,
    is_news,
    may_call,
    state_of,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REST = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def told(status: str, at: datetime = NOON) -> PolarRefund:
    return PolarRefund("r1", None, status, 2400, "EUR", "other", at)


def test_a_refund_that_was_asked_for_is_called_at_once() -> None:
    assert may_call("requested", None, other_under_way=False, now=NOON, rest=REST)


@pytest.mark.parametrize("state", ["pending", "succeeded", "failed"])
def test_what_polar_has_taken_up_is_not_asked_for_again(state: State) -> None:
    assert not may_call(state, NOON, other_under_way=True, now=NOON, rest=REST)


def test_a_call_that_broke_off_rests_before_it_is_looked_up() -> None:
    with pytest.raises(CallNotSettled):
        may_call("calling", NOON, other_under_way=False, now=NOON + REST - SECOND, rest=REST)
    assert may_call("calling", NOON, other_under_way=False, now=NOON + REST, rest=REST)


@pytest.mark.parametrize("state", ["requested", "calling"])
def test_one_refund_of_an_order_at_a_time(state: State) -> None:
    with pytest.raises(OtherRefundUnderWay):
        may_call(state, NOON, other_under_way=True, now=NOON + 2 * REST, rest=REST)


@pytest.mark.parametrize(
    ("state", "status", "news"),
    [
        ("calling", "pending", True),
        ("calling", "succeeded", True),
        ("requested", "failed", True),
        ("pending", "pending", False),
        ("pending", "succeeded", True),
        ("pending", "canceled", True),
        ("succeeded", "pending", False),
        ("succeeded", "failed", True),
        ("failed", "canceled", False),
        ("failed", "pending", False),
        ("failed", "succeeded", True),
    ],
)
def test_a_refund_goes_on_and_never_back(state: State, status: str, news: bool) -> None:
    assert is_news(state, NOON, told(status)) is news


def test_an_older_look_says_nothing_new() -> None:
    assert not is_news("failed", NOON, told("succeeded", NOON - SECOND))
    assert is_news("failed", NOON, told("succeeded", NOON + SECOND))


@pytest.mark.parametrize("status", ["failed", "canceled", "a status of next year"])
def test_what_is_neither_on_its_way_nor_there_has_failed(status: str) -> None:
    assert state_of(status) == "failed"
