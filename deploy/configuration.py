"""`docs/configuration.md`, from the settings themselves: every variable of a process. `python -m deploy.configuration` writes it."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import FilePath, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy import compose_variables
from deploy.broker import BrokerSettings
from deploy.local.environment import HOST, ROOT, Ports, port_variable
from deploy.standins.polar.settings import Settings as PolarStandinSettings
from deploy.standins.resend.settings import Settings as ResendStandinSettings
from services.booking.settings import BookingSettings
from services.chassis.environment import variable
from services.chassis.settings import Settings
from services.notifications.settings import NotificationsSettings
from services.payments.settings import PaymentsSettings

PAGE = ROOT / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration

Written by `python -m deploy.configuration` from the settings in the code; a test compares. What is wrong or missing ends a process
before it does anything, with exit code 2 and a sentence for each variable, never with what was given.

**Secrets** are best not in the environment, which child processes and crash reports copy. Each variable can be a file of its name in
the folder `/run/secrets` (where Docker puts them), or in the one that `COURTSIDE_SECRETS_DIR` names. A variable goes before its file. An
empty variable is as none. What is a secret here is never in a log, an error or a `repr`.

**Production.** With `…_ENVIRONMENT=production` a service refuses to start with what is meant for a laptop, and names all of it at once:
the last column says what must be set. No address may be at a domain of examples (`club.example`, `example.com`), and no secret may be
one that is printed in this repository. `COURTSIDE_CRASH_AT`, with which tests kill a process at a named point, is refused there too.
"""

SERVICES: dict[str, type[Settings]] = {
    "Booking": BookingSettings,
    "Payments": PaymentsSettings,
    "Notifications": NotificationsSettings,
}
OTHERS: dict[str, tuple[str, type[BaseSettings]]] = {
    "The command line, and the job that makes the topics": (
        "`courtside topics`, `courtside events`, `python -m deploy.topics`. The variables of its connection are those of the services.",
        BrokerSettings,
    ),
    "Polar's stand-in": ("For a laptop and for tests; its secrets open nothing else.", PolarStandinSettings),
    "Resend's stand-in": ("For a laptop and for tests; its secrets open nothing else.", ResendStandinSettings),
}
LOCAL_STACK = {
    "COURTSIDE_HOME": ("folder", "`.courtside`", "Where `courtside up` keeps data, logs and keys."),
    "COURTSIDE_TOKEN": ("text, a secret", "minted", "The bearer token of an admin, for `courtside dead-letters`."),
    "COURTSIDE_SECRETS_DIR": (
        "folder",
        "`/run/secrets`",
        "A folder of files that are called like variables. Read by all processes.",
    ),
    "COURTSIDE_ENVIRONMENT": ("text", "", "With `production` no stand-in starts."),
    "COURTSIDE_CRASH_AT": ("text", "", "For tests: the point at which a process kills itself. Refused in production."),
    "COURTSIDE_PROCESSES": (
        "JSON object",
        "those of `docker-compose.yml`",
        "Whom the gateway's `/health` asks: names of processes, and `host:port` of each.",
    ),
    "HOST": ("address", "`0.0.0.0`", "Where the gateway's health process (`python -m deploy.gateway.health`) listens."),
    "PORT": (
        "port",
        "`8000`",
        "Of that process; and in every container the port whose answer is its health (`deploy/docker/ready`).",
    ),
    "COURTSIDE_KAFKA_CONTROLLER_PORT": ("port", "a free one", "Where the local Kafka talks to itself."),
}

TELEMETRY = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": (
        "URL",
        "",
        "The collector that gets the traces of a process, over HTTP: `http://collector:4318`. With none, none are made.",
    ),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": (
        "URL",
        "",
        "In its place: the whole address, path included (`http://collector:4318/v1/traces`), when traces go elsewhere than the rest.",
    ),
    "OTEL_SDK_DISABLED": ("true or false", "false", "With `true` no traces are made, whatever collector is named."),
    "OTEL_TRACES_SAMPLER": (
        "text",
        "`parentbased_always_on`",
        "Which traces are recorded: `parentbased_traceidratio`, say.",
    ),
    "OTEL_TRACES_SAMPLER_ARG": ("number", "1", "The share of them, from 0 to 1."),
}
"""OpenTelemetry's own; its SDK reads more of them, which need no word of ours."""

COMPOSE = """\
Read by `docker-compose.yml` and `deploy/compose*.yml` from `.env` or the environment, and handed on to the containers. `.env.example` has
them all. `COURTSIDE_HOME`, the ports of services, stand-ins and Kafka, and `BOOKING_CALENDAR_KEY` are those from above.

"""

UNITS = {
    "_per_s": "per second",
    "_seconds": "s",
    "_s": "s",
    "_per_minute": "per minute",
    "_per_second": "per second",
    "_port": "port",
}
HEAD = "| Variable | Type | Unit | Default | What it does | In production |\n|---|---|---|---|---|---|\n"


def page() -> str:
    tables = [f"## {name}\n\n{HEAD}{''.join(_rows(settings, _unfit(settings)))}" for name, settings in SERVICES.items()]
    tables += [f"## {name}\n\n{about}\n\n{HEAD}{''.join(_rows(kind, {}))}" for name, (about, kind) in OTHERS.items()]
    compose = _small_table("docker compose", compose_variables.table(), COMPOSE)
    return "\n".join(
        [INTRODUCTION, *tables, _small_table("Traces of every service", TELEMETRY), _local_stack(), compose]
    )


def _rows(settings: type[BaseSettings], unfit: dict[str, str]) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        shown = variable(settings, name)
        secret = ", a secret" if _is_secret(field.annotation) else ""
        needed = unfit.get(name) or ("must be set" if field.is_required() else "")
        cells = (
            f"`{shown}`",
            _type(field.annotation) + secret,
            _unit(name),
            _default(field),
            _about(settings, name),
            needed,
        )
        yield f"| {' | '.join(cells)} |\n"


def _unfit(settings: type[Settings]) -> dict[str, str]:
    """By field: what production has against its default."""
    laptop = settings.model_construct(**{name: _on_a_laptop(field) for name, field in settings.model_fields.items()})
    return dict(reversed(list(laptop.unfit_for_production())))


def _on_a_laptop(field: FieldInfo) -> Any:
    """What has no default is a stand-in's address, or a secret."""
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    return SecretStr("") if field.annotation is SecretStr else f"http://{HOST}"


def _about(settings: type[BaseSettings], name: str) -> str:
    """A service that gives a field a default of its own says nothing new about it."""
    kinds = (kind for kind in settings.__mro__ if issubclass(kind, BaseSettings) and name in kind.model_fields)
    told = next((text for kind in kinds if (text := kind.model_fields[name].description)), "")
    return " ".join(told.split()).replace("|", "\\|")


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _type(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return _type(next(kind for kind in get_args(annotation) if kind is not type(None)))
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "JSON list"
    if annotation == FilePath or annotation is Path:
        return "file"
    return {bool: "true or false", int: "number", float: "number", UUID: "UUID", timedelta: "duration"}.get(
        annotation, "text"
    )


def _unit(name: str) -> str:
    return next((unit for suffix, unit in UNITS.items() if f"_{name}".endswith(suffix)), "")


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=False)
    if field.default_factory:
        return f"`{HOST}:{Ports().kafka}`"
    if isinstance(default, SecretStr):
        return "a laptop's"
    if field.is_required() or default is None or default in ("", ()):
        return ""
    return f"`{json.dumps(default)}`" if isinstance(default, bool | tuple) else f"`{default}`"


def _local_stack() -> str:
    return _small_table("The stack on your machine", _local())


def _small_table(title: str, told: dict[str, tuple[str, str, str]], about: str = "") -> str:
    rows = (f"| `{name}` | {kind} | {default} | {about} |\n" for name, (kind, default, about) in told.items())
    head = "| Variable | Type | Default | What it does |\n|---|---|---|---|\n"
    return f"## {title}\n\n{about}{head}{''.join(rows)}"


def _local() -> dict[str, tuple[str, str, str]]:
    ports = Ports()
    listening = {part: ("port", f"`{getattr(ports, part)}`", f"Where {part} listens.") for part in Ports.__slots__}
    return LOCAL_STACK | {port_variable(part): told for part, told in listening.items()}


if __name__ == "__main__":
    PAGE.write_text(page())
