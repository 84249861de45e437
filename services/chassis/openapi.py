"""The OpenAPI document: FastAPI's, with the problems that come from the chassis added to every operation that can meet them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from services.chassis import problems
from services.chassis.auth import KeysAway, TokenMissing, TokenNotValid
from services.chassis.problems import Problem

FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
"""Schemas of the errors that FastAPI would answer with, were they not problem documents."""

PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457. `code` is stable and for programs, `detail` is for people; further members help to go on.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "A page about this kind of problem"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Of `request-not-valid`: each place, by JSON Pointer into the body or name of the parameter",
            "items": {"type": "object", "required": ["detail", "code"]},
        },
    },
}


class DescribedAPI(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for operation in _operations(document):
                _add_problems(operation)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in FRAMEWORKS_OWN:
                schemas.pop(name, None)
            schemas["Problem"] = PROBLEM
        assert self.openapi_schema is not None
        return self.openapi_schema


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _add_problems(operation: dict[str, Any]) -> None:
    """Those of the route stay, and stand first."""
    answers = operation["responses"]
    if "application/json" in answers.get("422", {}).get("content", {}):
        del answers["422"]  # FastAPI's own: the route has named none
    registry = problems.registry()
    for status, shared in _shared(operation).items():
        named = answers.get(str(status), {}).get("content", {}).get(problems.MEDIA_TYPE, {}).get("examples", {})
        kinds = [registry[code] for code in named] + [kind for kind in shared if kind.code not in named]
        answers.update({str(key): value for key, value in problems.responses(*kinds).items()})
    operation["responses"] = dict(sorted(answers.items()))


def _shared(operation: dict[str, Any]) -> dict[int, list[type[Problem]]]:
    found: list[type[Problem]] = [problems.InternalError, problems.DatabaseAway, problems.DatabaseBusy]
    if "security" in operation:
        found += [TokenMissing, TokenNotValid, KeysAway]
    if "requestBody" in operation:
        found.append(problems.BodyTooLarge)
    if "requestBody" in operation or "parameters" in operation:
        found.append(problems.RequestNotValid)
    return {status: [kind for kind in found if kind.status == status] for status in {kind.status for kind in found}}
