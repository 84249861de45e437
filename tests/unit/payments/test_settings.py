"""A payment service that could lose money does not start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

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


def test_production_starts_with_polar_itself() -> None:
    assert PaymentsSettings(**GIVEN, environment="production").environment == "production"


@pytest.mark.parametrize(
    "wrong",
    [
        {"polar_base_url": "http://127.0.0.1:8011"},
        {"polar_webhook_secrets": []},
        {"polar_webhook_secrets": [SECRET, ""]},
    ],
    ids=["stand-in", "no secret", "an empty secret"],
)
def test_production_refuses_what_is_for_a_laptop(wrong: dict[str, Any]) -> None:
    assert PaymentsSettings(**(GIVEN | wrong)).environment == "local"
    with pytest.raises(ValidationError):
        PaymentsSettings(**(GIVEN | wrong), environment="production")


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    text = repr(PaymentsSettings(**GIVEN))
    assert SECRET not in text
    assert "polar_oat_1" not in text
