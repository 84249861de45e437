"""How a stand-in starts: never in production, with JSON logs, on the given address alone."""

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.standins.wire import Wire

PRODUCTION = frozenset({"production", "prod"})
STILL_ANSWERING_S = 5  # how long requests under way may take after SIGTERM
KEEP_ALIVE_S = (
    75  # as long as a provider's edge: the client gives an idle connection up, and sends nothing into a closing one
)


class StandinSettings(BaseSettings):
    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int
    """The port to listen on."""
    public_url: str = ""
    """As browsers reach it; the address itself when empty."""
    state: str
    """The file of its ledger, an SQLite database."""
    environment: str = "development"
    """With `production` it does not start."""

    @property
    def url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


SettingsT = TypeVar("SettingsT", bound=StandinSettings)


def serve(name: str, settings_type: type[SettingsT], create_app: Callable[[SettingsT], FastAPI]) -> None:
    settings = _settings(name, settings_type)
    for environment in (settings.environment, os.environ.get("COURTSIDE_ENVIRONMENT", "")):
        if environment.strip().casefold() in PRODUCTION:
            _refuse(name, f"the environment is {environment.strip()!r}. Use the provider itself there")
    _log_as_json(name)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=Wire,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STILL_ANSWERING_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def _settings(name: str, settings_type: type[SettingsT]) -> SettingsT:
    try:
        return settings_type()
    except ValidationError as invalid:
        prefix = str(settings_type.model_config.get("env_prefix", ""))
        _refuse(name, "; ".join(_sentence(prefix, error) for error in invalid.errors(include_url=False)))


def _sentence(prefix: str, error: Any) -> str:
    variable = prefix + "_".join(str(part) for part in error["loc"]).upper()
    return f"{variable}: {error['msg']}"


def _refuse(name: str, reason: str) -> NoReturn:
    print(f"{name} stand-in does not start: {reason}.", file=sys.stderr)
    sys.exit(2)


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _log_as_json(name: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines(f"{name}-standin"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a delivery has its own line
