from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.chassis import problems
from services.notifications.app import openapi

COMMITTED = Path(__file__).parents[3] / "contracts" / "openapi" / "notifications.json"
NO_REQUEST_OF_A_CLIENT = {"POST /webhooks/resend"}


def operations() -> list[tuple[str, dict[str, Any]]]:
    paths: dict[str, dict[str, Any]] = json.loads(openapi())["paths"]
    return [(f"{method.upper()} {path}", told) for path, methods in paths.items() for method, told in methods.items()]


def test_the_committed_document_is_that_of_the_routes() -> None:
    hint = "python -m services.notifications openapi > contracts/openapi/notifications.json"
    assert COMMITTED.read_text() == openapi(), f"write it anew: {hint}"


def test_every_code_of_every_operation_is_a_problem_with_a_meaning() -> None:
    registry = problems.registry()
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            for code in answer.get("content", {}).get(problems.MEDIA_TYPE, {}).get("examples", ()):
                assert registry[code].status == int(status), (name, code)
                assert registry[code].meaning() != f"{registry[code].title}.", f"{code} has no docstring"


def test_every_operation_of_staff_needs_a_token_and_is_limited_and_explained() -> None:
    for name, operation in operations():
        assert operation["description"], name
        if name not in NO_REQUEST_OF_A_CLIENT:
            assert {"401", "403", "429"} <= operation["responses"].keys(), name
