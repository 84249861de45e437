from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.chassis import problems
from services.payments.app import openapi

COMMITTED = Path(__file__).parents[3] / "contracts" / "openapi" / "payments.json"
PATHS = json.loads(openapi())["paths"]


def test_the_committed_document_is_that_of_the_routes() -> None:
    hint = "python -m services.payments openapi > contracts/openapi/payments.json"
    assert COMMITTED.read_text() == openapi(), f"write it anew: {hint}"


@pytest.mark.parametrize(("path", "method"), [(path, method) for path, methods in PATHS.items() for method in methods])
def test_every_code_of_every_operation_is_a_problem_with_a_meaning(path: str, method: str) -> None:
    refused = {status: answer for status, answer in PATHS[path][method]["responses"].items() if status >= "400"}
    assert refused
    for answer in refused.values():
        assert set(answer["content"][problems.MEDIA_TYPE]["examples"]) <= set(problems.registry())
