"""A process is told by variables or by files, shows no secret, and does not start in production with what is for a laptop."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from deploy.standins.polar.settings import Settings as PolarStandin
from deploy.standins.resend.settings import Settings as ResendStandin
from services.booking.settings import BookingSettings
from services.chassis.environment import WronglyTold, read
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


@pytest.mark.parametrize("settings", SERVICES.values())
def test_a_laptops_address_of_a_service_has_its_port(settings: type[Settings]) -> None:
    fields = settings.model_fields
    assert fields["public_url"].default == f"http://127.0.0.1:{fields['http_port'].default}"


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
    (tmp_path / "NOTIFICATIONS_SENDER").write_text("File <file@club.internal>")
    settings = told(monkeypatch, "notifications", NOTIFICATIONS_SENDER="Variable <variable@club.internal>")
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
    "PAYMENTS_SUCCESS_URL": (None, "must be https://"),
    "NOTIFICATIONS_RESEND_BASE_URL": ("http://127.0.0.1:8012", "must be https://"),
    "NOTIFICATIONS_SENDER": (None, "a domain that Resend has verified"),
    "NOTIFICATIONS_BOOKING_PAGE": (None, "mails ask players to pay"),
}
FOR_A_LAPTOP = OWN | {f"{name.upper()}_{field}": told for name in SERVICES for field, told in COMMON.items()}


@pytest.mark.parametrize("variable", FOR_A_LAPTOP)
def test_production_refuses_what_is_for_a_laptop(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    value, sentence = FOR_A_LAPTOP[variable]
    message = refused(monkeypatch, variable.partition("_")[0].lower(), **{variable: value})
    assert message.startswith(variable), message
    assert sentence in message
    assert ";" not in message, "one thing was wrong"


@pytest.mark.parametrize(
    ("variable", "copied"),
    [
        ("NOTIFICATIONS_STAFF_ADDRESS", "desk@club.example"),
        ("NOTIFICATIONS_SENDER", "Club <bookings@club.example>"),
        ("PAYMENTS_SUCCESS_URL", "https://club.example/bookings/{BOOKING_ID}"),
        ("NOTIFICATIONS_BOOKING_PAGE", "https://club.example/bookings/{BOOKING_ID}"),
        ("BOOKING_JWKS_URL", "https://id.club.EXAMPLE/.well-known/jwks.json"),
        ("BOOKING_DATABASE_URL", "postgresql://booking:database-secret@db.example.com:5432/booking"),
        ("BOOKING_CORS_ORIGINS", '["https://club.internal", "https://club.example"]'),
    ],
)
def test_production_refuses_a_domain_that_is_an_example(
    monkeypatch: pytest.MonkeyPatch, variable: str, copied: str
) -> None:
    """Mails to it would reach nobody, and nobody would be told of a refund that fails."""
    message = refused(monkeypatch, variable.partition("_")[0].lower(), **{variable: copied})
    assert message == f"{variable} must name a domain of your own"


def test_a_club_whose_name_only_sounds_like_an_example_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("example-padel.internal", "padel.example.internal", "club.internal/an.example-page"):
        assert told(monkeypatch, "booking", BOOKING_PUBLIC_URL=f"https://{name}").environment == "production"


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


def published() -> list[tuple[str, str]]:
    """Variable and value of each secret and id that can be read in this repository: of Compose, of both overlays, of both stand-ins."""
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    told = [pair for service in compose.values() for pair in service.get("environment", {}).items()]
    found = [(name, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))) for name, value in told]
    overlays = REPOSITORY / "deploy" / "kubernetes" / "overlays"
    for file in overlays.glob("*/kustomization.yaml"):
        made = yaml.safe_load(file.read_text()).get("secretGenerator", [])
        found += [_split(literal) for each in made for literal in each["literals"]]
    found += [
        _split(line) for file in overlays.glob("*/*.env") for line in file.read_text().splitlines() if "=" in line
    ]
    found += [*_defaults("PAYMENTS_POLAR", PolarStandin), *_defaults("NOTIFICATIONS_RESEND", ResendStandin)]
    return sorted({(name, value) for name, value in found if name in CONFIDENTIAL and value})


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _defaults(prefix: str, standin: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    for name, field in standin.model_fields.items():
        yield f"{prefix}_{name.upper()}", str(field.default)
        yield f"{prefix}_{name.upper()}S", json.dumps([str(field.default)])


CONFIDENTIAL = {
    "BOOKING_CALENDAR_KEY",
    "PAYMENTS_POLAR_ACCESS_TOKEN",
    "PAYMENTS_POLAR_PRODUCT_ID",
    "PAYMENTS_POLAR_WEBHOOK_SECRETS",
    "NOTIFICATIONS_RESEND_API_KEY",
    "NOTIFICATIONS_RESEND_WEBHOOK_SECRETS",
}


def test_every_place_that_publishes_a_secret_was_found() -> None:
    assert {name for name, _ in published()} == CONFIDENTIAL
    assert len(published()) >= 10


@pytest.mark.parametrize(("variable", "value"), published())
def test_production_refuses_a_secret_that_everybody_can_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    message = refused(monkeypatch, variable.partition("_")[0].lower(), **{variable: value})
    assert message.startswith(variable), message
    assert "your own" in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BOOKING_DATABASE_URL", "mysql://u:database-secret@h/x"),
        ("BOOKING_DATABASE_URL", "postgresql://u:database-secret@h:notaport/x"),
        ("BOOKING_DATABASE_URL", "database-secret"),
        ("BOOKING_JWKS_URL", "id.club.example"),
        ("BOOKING_PUBLIC_URL", "api.club.example"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence_without_what_was_given(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    message = refused(monkeypatch, "booking", **{variable: value})
    assert message.startswith(f"{variable}: ")
    assert value not in message
    assert ";" not in message
