from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.booking.settings import BookingSettings

DATABASE_URL = "postgresql://booking:secret@localhost/booking"


def test_production_starts_with_a_calendar_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKING_CALENDAR_KEY", "f" * 64)
    settings = BookingSettings(database_url=DATABASE_URL, environment="production")
    assert settings.calendar_key.get_secret_value() == "f" * 64


def test_production_refuses_the_key_that_everybody_knows() -> None:
    with pytest.raises(ValidationError, match="secret of your own in production"):
        BookingSettings(database_url=DATABASE_URL, environment="production")
    assert BookingSettings(database_url=DATABASE_URL).calendar_key


def test_a_calendar_key_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKING_CALENDAR_KEY", "short")
    with pytest.raises(ValidationError, match="at least 32"):
        BookingSettings(database_url=DATABASE_URL)
