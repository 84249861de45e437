"""What the payment service is told about Polar. `tests/unit/chassis/test_environment.py` is about production."""

from __future__ import annotations

from typing import Any

import pytest

from services.payments.settings import PaymentsSettings

SECRET = "whsec_Y291cnQ="
GIVEN: dict[str, Any] = {
    "database_url": "postgresql://payments:secret@localhost/payments",
    "polar_base_url": "https://api.polar.sh",
    "polar_access_token": "polar_oat_1",
    "polar_product_id": "7f1d3c5e-0b1a-4c53-9a55-c0a275bdc001",
    "polar_webhook_secrets": [SECRET],
}


def test_several_webhook_secrets_come_as_a_json_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_POLAR_WEBHOOK_SECRETS", f'["{SECRET}", "whsec_bmV3"]')
    given = {name: value for name, value in GIVEN.items() if name != "polar_webhook_secrets"}
    settings = PaymentsSettings(**given)
    assert [secret.get_secret_value() for secret in settings.polar_webhook_secrets] == [SECRET, "whsec_bmV3"]


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    text = repr(PaymentsSettings(**GIVEN))
    assert SECRET not in text
    assert "polar_oat_1" not in text
