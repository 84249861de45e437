"""What `docker compose` reads from `.env` and the environment: the variables of the compose files, with the defaults that stand there."""

from __future__ import annotations

import re

from deploy.local.environment import ROOT

FILES = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy").rglob("compose*.yml"))]
READ = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?::-((?:[^${}]|\$\{[^}]*\})*))?")
"""`${NAME}`, `${NAME:-default}`, `${NAME:?…}`; a default may name another variable."""

ABOUT = {
    "COMPOSE_PROJECT_NAME": (
        "text",
        "Put before the names of containers, volumes and images: a second checkout needs another.",
    ),
    "COURTSIDE_START_PATIENCE": ("duration", "How long a container may take to start before it counts as unhealthy."),
    "COURTSIDE_PUBLIC_URL": ("URL", "Where players and providers reach the gateway."),
    "COURTSIDE_GATEWAY_ADDRESS": (
        "address",
        "The address of this machine that the gateway listens on; `0.0.0.0` opens it to all, when no stand-in is behind it.",
    ),
    "COURTSIDE_GATEWAY_PORT": ("port", "Where the gateway listens."),
    "COURTSIDE_TLS_PORT": ("port", "Where it speaks TLS, with `deploy/compose.tls.yml`."),
    "COURTSIDE_KAFKA_2_PORT": ("port", "Where the second broker listens, with `deploy/compose.cluster.yml`."),
    "COURTSIDE_KAFKA_3_PORT": ("port", "Where the third broker listens."),
    "COURTSIDE_GRAFANA_PORT": ("port", "Where the dashboards are, with `deploy/compose.observability.yml`."),
    "COURTSIDE_PROMETHEUS_PORT": ("port", "Where Prometheus is."),
    "COURTSIDE_TRACES_PORT": ("port", "Where the traces are shown."),
    "POSTGRES_PASSWORD": ("text, a secret", "Of the superuser; passwords are set when the databases are made."),
    "BOOKING_DATABASE_PASSWORD": ("text, a secret", "Of booking's role."),
    "PAYMENTS_DATABASE_PASSWORD": ("text, a secret", "Of payments' role."),
    "NOTIFICATIONS_DATABASE_PASSWORD": ("text, a secret", "Of notifications' role."),
    "JWKS_URL": ("URL", "`…_JWKS_URL` of all services."),
    "TOKEN_ISSUER": ("text", "`…_TOKEN_ISSUER` of all services."),
    "TOKEN_AUDIENCE": ("text", "`…_TOKEN_AUDIENCE` of all services."),
    "POLAR_ACCESS_TOKEN": (
        "text, a secret",
        "`PAYMENTS_POLAR_ACCESS_TOKEN`. Sends Polar's stand-in away, and asks for the rest of Polar's.",
    ),
    "POLAR_BASE_URL": ("URL", "`PAYMENTS_POLAR_BASE_URL`."),
    "POLAR_PRODUCT_ID": ("UUID", "`PAYMENTS_POLAR_PRODUCT_ID`."),
    "POLAR_WEBHOOK_SECRET": ("text, a secret", "The one of `PAYMENTS_POLAR_WEBHOOK_SECRETS`."),
    "PAYMENT_RETURN_URL": ("URL", "Where players come back to after paying; the booking's id is appended."),
    "RESEND_API_KEY": (
        "text, a secret",
        "`NOTIFICATIONS_RESEND_API_KEY`. Sends Resend's stand-in away, and asks for the rest of Resend's.",
    ),
    "RESEND_BASE_URL": ("URL", "`NOTIFICATIONS_RESEND_BASE_URL`."),
    "RESEND_WEBHOOK_SECRET": ("text, a secret", "The one of `NOTIFICATIONS_RESEND_WEBHOOK_SECRETS`."),
    "MAIL_SENDER": ("text", "`NOTIFICATIONS_SENDER`."),
    "STAFF_ADDRESS": ("text", "`NOTIFICATIONS_STAFF_ADDRESS`."),
    "BOOKING_PAGE": ("URL", "Where a mail's button leads; the booking's id is appended."),
}
"""Kind, and what it does. What is told elsewhere on the page is not told here again."""
PROJECT = {"COMPOSE_PROJECT_NAME": "courtside"}
"""Its default is the `name` of the file."""


def read_by_compose() -> dict[str, str]:
    """Each variable with its default, if it has one, in the order of their first use."""
    found: dict[str, str] = {}
    for name, default in READ.findall("".join(file.read_text() for file in FILES)):
        found[name] = found.get(name) or _said(default)
    return found | PROJECT


def _said(default: str) -> str:
    """A variable within a default by its own default."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", default)


def table() -> dict[str, tuple[str, str, str]]:
    """Kind, default and what it does, by variable."""
    defaults = read_by_compose()
    return {name: (kind, _shown(kind, defaults[name]), about) for name, (kind, about) in ABOUT.items()}


def _shown(kind: str, default: str) -> str:
    if kind.endswith("a secret"):
        return "a laptop's"
    return f"`{default}`" if default else ""
