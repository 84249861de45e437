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


@pytest.mark.parametrize(("environment", "accepted"), [("local", True), ("test", True), ("production", False)])
def test_production_speaks_to_resend_encrypted(
    monkeypatch: pytest.MonkeyPatch, environment: str, accepted: bool
) -> None:
    monkeypatch.setenv("NOTIFICATIONS_ENVIRONMENT", environment)
    monkeypatch.setenv("NOTIFICATIONS_RESEND_BASE_URL", "http://127.0.0.1:8012")
    if accepted:
        assert NotificationsSettings().resend_base_url == "http://127.0.0.1:8012"
    else:
        with pytest.raises(ValidationError, match="https:// in production"):
            NotificationsSettings()


def test_a_sender_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFICATIONS_SENDER", "Courtside <a@example.com>\r\nBcc: b@example.com")
    with pytest.raises(ValidationError):
        NotificationsSettings()


@pytest.mark.parametrize(
    ("secrets", "accepted"), [('["whsec_b2xk", "whsec_bmV3"]', True), ("[]", False), ('["whsec_"]', False), ("", False)]
)
def test_production_knows_who_signs_its_webhooks(monkeypatch: pytest.MonkeyPatch, secrets: str, accepted: bool) -> None:
    monkeypatch.setenv("NOTIFICATIONS_ENVIRONMENT", "production")
    monkeypatch.setenv("NOTIFICATIONS_RESEND_WEBHOOK_SECRETS", secrets)
    if accepted:
        assert len(NotificationsSettings().resend_webhook_secrets) == 2
    else:
        with pytest.raises(ValidationError, match="at least one secret, and no empty one"):
            NotificationsSettings()


@pytest.mark.parametrize(
    ("page", "accepted"),
    [
        ("https://club.example/bookings/{BOOKING_ID}", True),
        ("https://club.example/bookings", False),
        ("javascript:alert({BOOKING_ID})", False),
        ('https://club.example/"><script>{BOOKING_ID}', False),
    ],
)
def test_the_page_of_a_booking_is_an_address(monkeypatch: pytest.MonkeyPatch, page: str, accepted: bool) -> None:
    monkeypatch.setenv("NOTIFICATIONS_BOOKING_PAGE", page)
    if accepted:
        assert NotificationsSettings().booking_page == page
    else:
        with pytest.raises(ValidationError):
            NotificationsSettings()
