"""What a process tells before anything has happened: a series that begins with its first event is no increase."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from prometheus_client import REGISTRY

from services.booking.bookings.counting import expect_debts
from services.booking.bookings.domain import Reason
from tests.unit.booking.clubs import CLUB

NOBODYS = "XTS"
"""ISO 4217 keeps it for tests: no other test owes in it."""


def test_the_first_refund_of_each_reason_is_an_increase() -> None:
    told = [
        REGISTRY.get_sample_value("courtside_refunds_owed_total", {"reason": reason}) for reason in get_args(Reason)
    ]
    assert None not in told


def test_its_money_is_an_increase_in_the_currency_of_every_venue() -> None:
    expect_debts([CLUB, replace(CLUB, currency=NOBODYS)])
    for reason in get_args(Reason):
        told = {"reason": reason, "currency": NOBODYS}
        assert REGISTRY.get_sample_value("courtside_refunds_owed_minor_total", told) == 0
