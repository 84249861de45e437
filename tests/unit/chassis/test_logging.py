"""What a line of the log says beside its sentence."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.chassis.logging import configure
from services.chassis.telemetry import tracing

RECEIVED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).setLevel(quiet.get(name, logging.NOTSET))
    structlog.reset_defaults()


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_of_which_request_it_is_a_librarys_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("booking", "info")
    with tracing(RECEIVED, "request-7"):
        structlog.get_logger().info("a court was held")
        with tracing(None, None):
            structlog.get_logger().info("something else began")
        logging.getLogger("uvicorn").warning("a line of uvicorn's")
    held, other, of_a_library = said(capsys)
    for line in (held, of_a_library):
        assert (line["service"], line["correlation_id"]) == ("booking", "request-7")
        assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (other["correlation_id"], other["trace_id"] != held["trace_id"]) == (None, True)


def test_a_line_of_no_request_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    configure("booking", "info")
    structlog.get_logger().info("the process starts")
    (line,) = said(capsys)
    assert line.keys().isdisjoint({"trace_id", "correlation_id"})
