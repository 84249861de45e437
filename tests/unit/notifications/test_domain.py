from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifications.emails.domain import (
    State,
    Step,
    Waiting,
    after_report,
    is_one_address,
    next_step,
    one_line,
)
from tests.unit.notifications.builders import MONDAY_NOON as NOW

WAITING = Waiting(State.QUEUED, version=2, news_version=2)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "unsure_hours", "step"),
    [
        (State.QUEUED, None, Step.SEND),
        (State.QUEUED, 0, Step.SEND),
        (State.QUEUED, 23, Step.SEND),
        (State.QUEUED, 23.1, Step.GIVE_UP),
        (State.QUEUED, 48, Step.GIVE_UP),
        (State.REFUSED, None, Step.SEND),  # redriven
        (State.SENT, 1, Step.NOTHING),
        (State.DELIVERED, 48, Step.NOTHING),
        (State.UNKNOWN, 48, Step.NOTHING),
        (State.DROPPED, None, Step.NOTHING),
    ],
)
def test_a_mail_is_repeated_only_while_its_key_is_remembered(
    state: State, unsure_hours: float | None, step: Step
) -> None:
    unsure_since = None if unsure_hours is None else NOW - unsure_hours * HOUR
    assert next_step(replace(WAITING, state=state, unsure_since=unsure_since), NOW) is step


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"news_version": 3}, Step.SUPERSEDE),
        ({"news_version": 3, "unsure_since": NOW - 30 * HOUR}, Step.SUPERSEDE),
        ({"news_version": 3, "version": 0}, Step.SEND),  # of money: it stays true
        ({"useless_after": NOW}, Step.EXPIRE),
        ({"useless_after": NOW + HOUR}, Step.SEND),
        ({"is_suppressed": True}, Step.SUPPRESS),
        ({"is_suppressed": True, "news_version": 3}, Step.SUPERSEDE),
        ({"is_suppressed": True, "others_under_way": True}, Step.SUPPRESS),
        ({"others_under_way": True}, Step.WAIT),
        ({"others_under_way": True, "news_version": 3}, Step.SUPERSEDE),
    ],
)
def test_a_mail_goes_out_only_while_it_is_true_and_of_use(changes: dict[str, int], step: Step) -> None:
    assert next_step(replace(WAITING, **changes), NOW) is step  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("reports", "end"),
    [
        ("sent delivered opened", "opened"),
        ("opened delivered sent", "opened"),
        ("delivered delayed", "delivered"),
        ("sent bounced delivered", "bounced"),
        ("bounced failed", "bounced"),
        ("delivered complained opened", "complained"),
        ("complained bounced", "complained"),
        ("suppressed sent", "suppressed"),
        ("delivered delivered", "delivered"),
    ],
)
def test_reports_in_any_order_end_in_the_same_state(reports: str, end: str) -> None:
    state = State.QUEUED
    for report in reports.split():
        state = after_report(state, State(report))
    assert state == end


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("Alba Ruiz", "Alba Ruiz"),
        ("  Alba \t Ruiz\n", "Alba Ruiz"),
        ("Alba\r\nBcc: x@example.com", "Alba Bcc: x@example.com"),
        ("\u202eziuR ablA\u2066", "ziuR ablA"),
        ("Jürgen O'Neill-Łoś 李小龙", "Jürgen O'Neill-Łoś 李小龙"),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_a_name_is_one_line(typed: str, line: str) -> None:
    assert one_line(typed) == line


@pytest.mark.parametrize(
    ("email", "usable"),
    [
        ("alba@example.com", True),
        ("alba+padel@mail.example.com", True),
        ("a@example.com,b@example.com", False),
        ("a@example.com\r\nBcc: b@example.com", False),
        ("Alba <alba@example.com>", False),
        ("alba", False),
        ("", False),
    ],
)
def test_an_address_is_exactly_one(email: str, usable: bool) -> None:
    assert is_one_address(email) is usable
