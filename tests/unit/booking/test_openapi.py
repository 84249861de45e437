from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.booking.app import openapi
from services.chassis import problems

COMMITTED = Path(__file__).parents[3] / "contracts" / "openapi" / "booking.json"


def operations() -> list[tuple[str, dict[str, Any]]]:
    paths: dict[str, dict[str, Any]] = json.loads(openapi())["paths"]
    return [(f"{method.upper()} {path}", told) for path, methods in paths.items() for method, told in methods.items()]


def test_the_committed_document_is_that_of_the_routes() -> None:
    hint = "python -m services.booking openapi > contracts/openapi/booking.json"
    assert COMMITTED.read_text() == openapi(), f"write it anew: {hint}"


def test_every_code_of_every_operation_is_a_problem_with_a_meaning() -> None:
    registry = problems.registry()
    for name, operation in operations():
        refused = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert refused, name
        for status, answer in refused.items():
            examples = answer["content"][problems.MEDIA_TYPE]["examples"]
            assert examples, (name, status)
            for code in examples:
                assert registry[code].status == int(status), (name, code)
                assert registry[code].meaning() != f"{registry[code].title}.", f"{code} has no docstring"


def test_whatever_needs_a_token_says_what_happens_without_one() -> None:
    secured = [(name, operation) for name, operation in operations() if "security" in operation]
    assert len(secured) > 5
    for name, operation in secured:
        assert "401" in operation["responses"], name


def test_whoever_needs_a_token_is_told_that_an_erased_user_is_refused() -> None:
    indifferent = {"GET /v1/availability", "GET /v1/me/calendar"}
    for name, operation in operations():
        refused = operation["responses"].get("403", {}).get("content", {}).get(problems.MEDIA_TYPE, {})
        looks = "security" in operation and name not in indifferent
        assert ("user-erased" in refused.get("examples", {})) == looks, name


def test_every_operation_is_limited() -> None:
    for name, operation in operations():
        assert "429" in operation["responses"], name


def test_operations_are_named_once_and_explained() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))
    assert [name for name, operation in operations() if not operation.get("description")] == []
