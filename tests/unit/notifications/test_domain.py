from __future__ import annotations

from datetime import timedelta

import pytest

from services.notifications.emails.domain import State, Step, is_one_address, next_step, one_line
from tests.unit.notifications.builders import MONDAY_NOON as NOW


@pytest.mark.parametrize(
    ("state", "tried_hours_ago", "step"),
    [
        (State.QUEUED, None, Step.SEND),
        (State.QUEUED, 0, Step.SEND),
        (State.QUEUED, 23, Step.SEND),
        (State.QUEUED, 23.1, Step.GIVE_UP),
        (State.QUEUED, 48, Step.GIVE_UP),
        (State.SENT, 1, Step.NOTHING),
        (State.SENT, 48, Step.NOTHING),
        (State.UNKNOWN, 48, Step.NOTHING),
    ],
)
def test_a_mail_is_repeated_only_while_its_key_is_remembered(
    state: State, tried_hours_ago: float | None, step: Step
) -> None:
    first_tried_at = None if tried_hours_ago is None else NOW - timedelta(hours=tried_hours_ago)
    assert next_step(state, first_tried_at, NOW) is step


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
