from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.notifications.emails.formatting import Formats

MADRID = Formats.of("en-GB", "Europe/Madrid")


@pytest.mark.parametrize(
    ("locale", "minor", "currency", "written"),
    [
        ("en-GB", 3600, "EUR", "€36.00"),
        ("es", 3605, "EUR", "36,05\xa0€"),
        ("de-AT", 123450, "EUR", "€\xa01.234,50"),
        ("en", 4500, "JPY", "¥4,500"),  # no decimals: 4500 is not 45.00
        ("en", 1250, "KWD", "KWD1.250"),  # three decimals
        ("en", 150050, "RSD", "RSD1,500.50"),  # two in ISO 4217, though nobody writes them
        ("en", 0, "EUR", "€0.00"),
    ],
)
def test_money_has_the_decimals_of_its_currency(locale: str, minor: int, currency: str, written: str) -> None:
    assert Formats.of(locale, "UTC").money(minor, currency) == written


def test_hours_are_those_on_the_wall_of_the_venue() -> None:
    winter, summer = datetime(2026, 1, 17, 17, tzinfo=UTC), datetime(2026, 7, 17, 17, tzinfo=UTC)
    assert MADRID.hours(winter, winter.replace(hour=18)) == "18:00 \N{EN DASH} 19:00"
    assert MADRID.hours(summer, summer.replace(hour=18)) == "19:00 \N{EN DASH} 20:00"
    assert Formats.of("en-GB", "Atlantic/Canary").time(winter) == "17:00"


def test_an_hour_across_the_end_of_summer_time_says_which_half_past_two() -> None:
    start, end = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert (
        MADRID.hours(start, end)
        == "02:30 (Central European Summer Time) \N{EN DASH} 02:30 (Central European Standard Time)"
    )
    assert MADRID.minutes(start, end) == "60 minutes"


def test_an_hour_across_the_start_of_summer_time_skips_the_missing_one() -> None:
    start, end = datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert (
        MADRID.hours(start, end)
        == "01:30 (Central European Standard Time) \N{EN DASH} 03:30 (Central European Summer Time)"
    )


def test_the_day_is_the_one_at_the_venue() -> None:
    late = datetime(2026, 11, 14, 23, 30, tzinfo=UTC)
    assert MADRID.day(late) == "Sunday, 15 November 2026"
    assert Formats.of("es", "America/Mexico_City").day(late) == "sábado, 14 de noviembre de 2026"
