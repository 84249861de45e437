"""Asks a service what only its operators may, over HTTP, as an admin."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any

import httpx

from deploy.local.environment import HOST, Paths, Ports
from deploy.local.errors import WrongEnvironment
from deploy.printable import printable
from deploy.tokens import Role, mint

PATH = "/v1/ops/dead-letters"
ACTOR = "operator@courtside.example"
"""Whose token is minted with the local key when none is given."""
SECONDS = 15.0


class Service(StrEnum):
    BOOKING = "booking"
    PAYMENTS = "payments"
    NOTIFICATIONS = "notifications"


def ask(
    service: Service, url: str, token: str, method: str, path: str, prefix: str = PATH, **request: Any
) -> dict[str, Any]:
    """`path` continues `prefix`. Raises `WrongEnvironment` with one sentence for whatever is not a success."""
    base = url.rstrip("/") or f"http://{HOST}:{getattr(Ports.read(os.environ), service.value)}"
    headers = {"Authorization": f"Bearer {token or _minted()}"}
    try:
        answer = httpx.request(
            method, base + prefix + path, headers=headers, timeout=SECONDS, trust_env=False, **request
        )
        told: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise WrongEnvironment(f"{service.value} does not answer at {base} ({type(error).__name__})") from error
    if answer.is_success:
        return told
    errors = "; ".join(
        f"{one.get('pointer') or one.get('parameter')}: {one['detail']}" for one in told.get("errors", ())
    )
    raise WrongEnvironment(printable(" ".join(filter(None, (told["detail"], errors, f"({told['code']})")))))


def _minted() -> str:
    return mint(Paths.read(os.environ).keys, ACTOR, "Operator", Role.ADMIN)
