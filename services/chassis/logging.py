"""JSON lines on stdout, the libraries' own log among them. No body, no token and no address is ever logged."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog

from services.chassis.telemetry import add_ids

QUIET = {
    "aiokafka": logging.CRITICAL,  # thousands of errors in a broker's outage; health and the relay say it once
    "uvicorn.access": logging.WARNING,  # ours has the trace
    "httpx": logging.WARNING,  # a line for each call
    "opentelemetry": logging.CRITICAL,  # a traceback for each batch of spans while the collector is away
    "courtside.faststream": logging.ERROR,  # warns of each topic that it does not create
}

TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Without the values of variables: those are tokens, addresses and bodies."""


def configure(service: str, level: str) -> None:
    shared: list[structlog.typing.Processor] = [
        add_ids,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(TRACEBACKS),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _named(service),
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def _named(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, **event}

    return add


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
