from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.notifications.settings import NotificationsSettings

NEEDED = {
    "NOTIFICATIONS_DATABASE_URL": "postgresql://notifications@127.0.0.1/notifications",
    "NOTIFICATIONS_RESEND_API_KEY": "re_of_a_test",
}


@pytest.fixture(autouse=True)
def needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)


def test_what_is_needed_is_enough() -> None:
    settings = NotificationsSettings()
    assert settings.http_port == 8003
    assert settings.resend_base_url == "https://api.resend.com"
    assert "re_of_a_test" not in repr(settings)


def test_a_sender_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFICATIONS_SENDER", "Courtside <a@example.com>\r\nBcc: b@example.com")
    with pytest.raises(ValidationError):
        NotificationsSettings()
