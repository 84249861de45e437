from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.booking.settings import BookingSettings

DATABASE_URL = "postgresql://booking:secret@localhost/booking"


def test_a_laptop_needs_no_calendar_key() -> None:
    assert BookingSettings(database_url=DATABASE_URL).calendar_key


def test_a_calendar_key_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKING_CALENDAR_KEY", "short")
    with pytest.raises(ValidationError, match="at least 32"):
        BookingSettings(database_url=DATABASE_URL)
