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


@pytest.mark.parametrize(
    ("secrets", "accepted"), [('["whsec_b2xk", "whsec_bmV3"]', True), ("[]", False), ('["whsec_"]', False), ("", False)]
)
def test_production_knows_who_signs_its_webhooks(monkeypatch: pytest.MonkeyPatch, secrets: str, accepted: bool) -> None:
    monkeypatch.setenv("NOTIFICATIONS_RESEND_WEBHOOK_SECRETS", secrets)
    unfit = dict(NotificationsSettings().unfit_for_production())
    assert ("resend_webhook_secrets" in unfit) is not accepted


@pytest.mark.parametrize(
    ("page", "accepted"),
    [
        ("https://club.internal/bookings/{BOOKING_ID}", True),
        ("http://club.internal/bookings/{BOOKING_ID}", False),
        ("", False),
    ],
)
def test_a_mail_of_production_that_says_pay_leads_somewhere(
    monkeypatch: pytest.MonkeyPatch, page: str, accepted: bool
) -> None:
    monkeypatch.setenv("NOTIFICATIONS_BOOKING_PAGE", page)
    unfit = dict(NotificationsSettings().unfit_for_production())
    assert ("booking_page" in unfit) is not accepted


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
