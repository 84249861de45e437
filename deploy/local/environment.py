"""From ports, paths and secrets to the environment of each part: pure, so that the stack of a developer and of a test are told alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from deploy.local.errors import WrongEnvironment

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
SERVICES = ("booking", "payments", "notifications")
TOKEN_ISSUER = "https://courtside.local/"  # noqa: S105 - an issuer is no secret
TOKEN_AUDIENCE = "courtside"  # noqa: S105
POLAR_PRODUCT_ID = "5b0c1f52-6a51-4c0e-9d3c-3f8f0f6f1c11"
"""The one product of the stand-in: "a court"; its price comes with each checkout."""


WEBHOOK_EVENTS = (
    "order.paid",
    "order.refunded",
    "refund.created",
    "refund.updated",
    "checkout.updated",
    "checkout.expired",
)
"""What an endpoint at Polar should be subscribed to: the facts about money, and what becomes of a checkout."""


@dataclass(frozen=True, slots=True)
class Ports:
    booking: int = 8001
    payments: int = 8002
    notifications: int = 8003
    polar: int = 8011
    resend: int = 8012
    postgres: int = 54320
    kafka: int = 19092

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Ports:
        """From `COURTSIDE_<PART>_PORT`; two parts on one port are refused, since the second would wait for ever."""
        given = {f.name: _port(environ, f.name) for f in fields(cls) if environ.get(port_variable(f.name))}
        ports = replace(cls(), **given)
        parts_by_port: dict[int, str] = {}
        for field in fields(cls):
            port = getattr(ports, field.name)
            if other := parts_by_port.get(port):
                variables = f"{port_variable(other)} and {port_variable(field.name)}"
                raise WrongEnvironment(f"{other} and {field.name} both want port {port}: set {variables} apart")
            parts_by_port[port] = field.name
        return ports

    @staticmethod
    def read_controller(environ: Mapping[str, str]) -> int | None:
        """Where Kafka talks to itself: no matter to anybody, so a free port is found when none is given."""
        return _port(environ, "kafka_controller") if environ.get(port_variable("kafka_controller")) else None


def port_variable(part: str) -> str:
    return f"COURTSIDE_{part.upper()}_PORT"


def _port(environ: Mapping[str, str], part: str) -> int:
    text = environ[port_variable(part)]
    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - the largest TCP port
        raise WrongEnvironment(f"{port_variable(part)} must be a port between 1 and 65535, not {text!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Paths:
    """`jars` is a download and no data: it outlives a reset, and tests share the developer's."""

    home: Path
    jars: Path

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Paths:
        home = Path(environ.get("COURTSIDE_HOME") or ROOT / ".courtside").absolute()
        return cls(home, home / "jars")

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def postgres(self) -> Path:
        return self.home / "postgres"

    @property
    def kafka(self) -> Path:
        return self.home / "kafka"

    @property
    def standins(self) -> Path:
        return self.home / "standins"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made at random once per installation (`keys.py`), so that nothing worth copying stands in the repository."""

    postgres_password: str
    polar_access_token: str
    polar_webhook_secret: str
    resend_api_key: str
    resend_webhook_secret: str


@dataclass(frozen=True, slots=True)
class Installation:
    """One set of services: a developer's has no topic prefix; each test run has its own prefixes on a shared broker and database server."""

    ports: Ports
    paths: Paths
    secrets: Secrets
    topic_prefix: str = ""
    database_prefix: str = "courtside"
    kind: Literal["local", "test"] = "local"

    def database(self, service: str) -> str:
        return f"{self.database_prefix}_{service}"

    def database_url(self, service: str) -> str:
        """The role's password is its name: it opens nothing but this service's local database, on loopback."""
        return f"postgresql://{service}:{service}@{HOST}:{self.ports.postgres}/{self.database(service)}"

    def url(self, part: str) -> str:
        return f"http://{HOST}:{getattr(self.ports, part)}"


def environment(installation: Installation) -> dict[str, dict[str, str]]:
    """By part: what its process reads, complete but for what the developer's own environment adds (a log level, say)."""
    told = {service: _service(installation, service) for service in SERVICES}
    told["payments"] |= _payments(installation)
    told["notifications"] |= _notifications(installation)
    return told | {"polar": _polar(installation), "resend": _resend(installation)}


def _service(installation: Installation, service: str) -> dict[str, str]:
    common = {
        "ENVIRONMENT": installation.kind,
        "DATABASE_URL": installation.database_url(service),
        "KAFKA_BOOTSTRAP": f"{HOST}:{installation.ports.kafka}",
        "TOPIC_PREFIX": installation.topic_prefix,
        "HTTP_HOST": HOST,
        "HTTP_PORT": str(getattr(installation.ports, service)),
        "PUBLIC_URL": installation.url(service),
        "JWKS_FILE": str(installation.paths.keys / "jwks.json"),
        "TOKEN_ISSUER": TOKEN_ISSUER,
        "TOKEN_AUDIENCE": TOKEN_AUDIENCE,
    }
    return {f"{service.upper()}_{name}": value for name, value in common.items()}


def _payments(installation: Installation) -> dict[str, str]:
    return {
        "PAYMENTS_POLAR_BASE_URL": installation.url("polar"),
        "PAYMENTS_POLAR_ACCESS_TOKEN": installation.secrets.polar_access_token,
        "PAYMENTS_POLAR_PRODUCT_ID": POLAR_PRODUCT_ID,
        "PAYMENTS_POLAR_WEBHOOK_SECRETS": json.dumps([installation.secrets.polar_webhook_secret]),
        "PAYMENTS_SUCCESS_URL": installation.url("resend") + "/?tag=booking_id:{BOOKING_ID}",
    }


def _notifications(installation: Installation) -> dict[str, str]:
    return {
        "NOTIFICATIONS_RESEND_BASE_URL": installation.url("resend"),
        "NOTIFICATIONS_RESEND_API_KEY": installation.secrets.resend_api_key,
        "NOTIFICATIONS_RESEND_WEBHOOK_SECRETS": json.dumps([installation.secrets.resend_webhook_secret]),
        "NOTIFICATIONS_SENDER": "Courtside <bookings@courtside.example>",
        "NOTIFICATIONS_BOOKING_PAGE": installation.url("resend") + "/?tag=booking_id:{BOOKING_ID}",
    }


def _polar(installation: Installation) -> dict[str, str]:
    return {
        "POLAR_STANDIN_ENVIRONMENT": "local",
        "POLAR_STANDIN_HOST": HOST,
        "POLAR_STANDIN_PORT": str(installation.ports.polar),
        "POLAR_STANDIN_PUBLIC_URL": installation.url("polar"),
        "POLAR_STANDIN_ACCESS_TOKEN": installation.secrets.polar_access_token,
        "POLAR_STANDIN_PRODUCT_ID": POLAR_PRODUCT_ID,
        "POLAR_STANDIN_WEBHOOK_URL": installation.url("payments") + "/webhooks/polar",
        "POLAR_STANDIN_WEBHOOK_EVENTS": " ".join(WEBHOOK_EVENTS),
        "POLAR_STANDIN_WEBHOOK_SECRET": installation.secrets.polar_webhook_secret,
        "POLAR_STANDIN_STATE": str(installation.paths.standins / "polar.sqlite"),
    }


def _resend(installation: Installation) -> dict[str, str]:
    return {
        "RESEND_STANDIN_ENVIRONMENT": "local",
        "RESEND_STANDIN_HOST": HOST,
        "RESEND_STANDIN_PORT": str(installation.ports.resend),
        "RESEND_STANDIN_PUBLIC_URL": installation.url("resend"),
        "RESEND_STANDIN_API_KEY": installation.secrets.resend_api_key,
        "RESEND_STANDIN_WEBHOOK_URL": installation.url("notifications") + "/webhooks/resend",
        "RESEND_STANDIN_WEBHOOK_SECRET": installation.secrets.resend_webhook_secret,
        "RESEND_STANDIN_STATE": str(installation.paths.standins / "resend.sqlite"),
    }
