"""A process is told by variables or by files, shows no secret, and does not start in production with what is for a laptop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.booking.settings import BookingSettings
from services.chassis.environment import WronglyTold, read
from services.chassis.published import PUBLISHED
from services.chassis.settings import Settings
from services.notifications.settings import NotificationsSettings
from services.payments.settings import PaymentsSettings
from tests.programs import REPOSITORY
from tests.unit.production import SECRETS, WORDS, production

SERVICES: dict[str, type[Settings]] = {
    "booking": BookingSettings,
    "payments": PaymentsSettings,
    "notifications": NotificationsSettings,
}


def told(monkeypatch: pytest.MonkeyPatch, service: str, **changes: str | None) -> Settings:
    """The settings of a real club, with these variables in place of theirs; without those that are None."""
    for name, value in (production(service) | changes).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return read(SERVICES[service])


def refused(monkeypatch: pytest.MonkeyPatch, service: str, **changes: str | None) -> str:
    with pytest.raises(WronglyTold) as raised:
        told(monkeypatch, service, **changes)
    return str(raised.value)


@pytest.mark.parametrize("service", SERVICES)
def test_a_real_club_starts(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    assert told(monkeypatch, service).environment == "production"


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_come_from_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str) -> None:
    monkeypatch.setenv("COURTSIDE_SECRETS_DIR", str(tmp_path))
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n")
    by_files = told(monkeypatch, service, **dict.fromkeys(SECRETS))
    monkeypatch.delenv("COURTSIDE_SECRETS_DIR")
    assert by_files == told(monkeypatch, service)


def test_files_as_a_cluster_lays_them_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kubernetes changes all files of a volume at once: they are links through a folder that is a link."""
    (tmp_path / "..2026_11_27").mkdir()
    (tmp_path / "..2026_11_27" / "BOOKING_CALENDAR_KEY").write_text("of-32-characters-and-in-the-cluster-only")
    (tmp_path / "..data").symlink_to("..2026_11_27")
    (tmp_path / "BOOKING_CALENDAR_KEY").symlink_to("..data/BOOKING_CALENDAR_KEY")
    settings = told(monkeypatch, "booking", COURTSIDE_SECRETS_DIR=str(tmp_path), BOOKING_CALENDAR_KEY=None)
    assert isinstance(settings, BookingSettings)
    assert settings.calendar_key.get_secret_value().startswith("of-32")


def test_a_variable_goes_before_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURTSIDE_SECRETS_DIR", str(tmp_path))
    (tmp_path / "NOTIFICATIONS_SENDER").write_text("File <file@club.example>")
    settings = told(monkeypatch, "notifications", NOTIFICATIONS_SENDER="Variable <variable@club.example>")
    assert isinstance(settings, NotificationsSettings)
    assert settings.sender.startswith("Variable")


def test_a_folder_of_secrets_that_is_not_there_is_no_folder_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    message = refused(monkeypatch, "booking", COURTSIDE_SECRETS_DIR=str(tmp_path / "mistyped"))
    assert message == f"COURTSIDE_SECRETS_DIR: there is no folder {tmp_path / 'mistyped'}"


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    settings = told(monkeypatch, service)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert not [word for word in WORDS if word in shown]


COMMON = {
    "KAFKA_BOOTSTRAP": (None, "must name your brokers"),
    "KAFKA_SECURITY_PROTOCOL": ("SASL_PLAINTEXT", "must be SASL_SSL"),
    "DATABASE_URL": ("postgresql://club:club@db/club", "not the role's own name"),
    "JWKS_URL": (None, "keys of your identity provider"),
    "TOKEN_ISSUER": (None, "must be your identity provider"),
    "CORS_ORIGINS": ('["*"]', "must name the origins"),
    "RETRY_DELAYS": ("[1, 1, 1, 1]", "are for tests"),
}
OWN = {
    "BOOKING_CALENDAR_KEY": (None, "secret of your own"),
    "BOOKING_PUBLIC_URL": (None, "must be https://"),
    "PAYMENTS_POLAR_BASE_URL": ("http://127.0.0.1:8011", "must be https://"),
    "PAYMENTS_POLAR_WEBHOOK_SECRETS": ('["whsec_c2VjcmV0", ""]', "no empty one"),
    "PAYMENTS_POLAR_ACCESS_TOKEN": ("polar_oat_local", "your organization's own"),
    "PAYMENTS_POLAR_PRODUCT_ID": ("00000000-0000-4000-8000-000000000000", "a product of yours"),
    "PAYMENTS_SUCCESS_URL": (None, "must be https://"),
    "NOTIFICATIONS_RESEND_BASE_URL": ("http://127.0.0.1:8012", "must be https://"),
    "NOTIFICATIONS_RESEND_API_KEY": ("re_local", "your account's own"),
    "NOTIFICATIONS_SENDER": (None, "a domain that Resend has verified"),
}
FOR_A_LAPTOP = OWN | {f"{name.upper()}_{field}": told for name in SERVICES for field, told in COMMON.items()}


@pytest.mark.parametrize("variable", FOR_A_LAPTOP)
def test_production_refuses_what_is_for_a_laptop(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    value, sentence = FOR_A_LAPTOP[variable]
    message = refused(monkeypatch, variable.partition("_")[0].lower(), **{variable: value})
    assert message.startswith(variable), message
    assert sentence in message
    assert ";" not in message, "one thing was wrong"


@pytest.mark.parametrize("secret", sorted(one for one in PUBLISHED if one.startswith("whsec_")))
@pytest.mark.parametrize("variable", ["PAYMENTS_POLAR_WEBHOOK_SECRETS", "NOTIFICATIONS_RESEND_WEBHOOK_SECRETS"])
def test_production_believes_no_webhook_that_anybody_can_sign(
    monkeypatch: pytest.MonkeyPatch, variable: str, secret: str
) -> None:
    told_secrets = json.dumps(["whsec_c2VjcmV0", secret])
    message = refused(monkeypatch, variable.partition("_")[0].lower(), **{variable: told_secrets})
    assert message.startswith(f"{variable} must hold your endpoint's secrets alone"), message
    assert secret not in message


@pytest.mark.parametrize("service", SERVICES)
def test_all_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    wrong = {name: value for name, (value, _) in FOR_A_LAPTOP.items() if name.startswith(service.upper())}
    message = refused(monkeypatch, service, **wrong)
    assert not [name for name in wrong if name not in message], message


def test_a_broker_that_knows_its_clients_by_certificate_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    without_password = {"BOOKING_KAFKA_USERNAME": None, "BOOKING_KAFKA_PASSWORD": None}
    message = refused(monkeypatch, "booking", BOOKING_KAFKA_SECURITY_PROTOCOL="SSL", **without_password)
    assert "BOOKING_KAFKA_SECURITY_PROTOCOL must be SASL_SSL, or SSL with a certificate" in message


@pytest.mark.parametrize(
    "wrong",
    [
        {"PAYMENTS_POLAR_WEBHOOK_SECRETS": "whsec_c2VjcmV0, no list"},
        {"PAYMENTS_DATABASE_POOL_SIZE": "many", "PAYMENTS_POLAR_BASE_URL": "polar_oat_secret in the wrong place"},
    ],
    ids=["no list", "no number and no address"],
)
def test_a_process_that_is_refused_says_why_without_a_secret_and_ends_with_2(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    environment = production("payments") | wrong | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'contracts'}"}
    process = subprocess.run(
        [sys.executable, "-m", "services.payments", "api"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert all(f"{name}: " in process.stderr for name in wrong)
    assert len(process.stderr.splitlines()) == 1
    assert not [word for word in WORDS if word in process.stdout + process.stderr]
