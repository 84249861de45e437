"""Who may see and move money: every route of the payment service times everyone who may come. A route without a row fails."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from services.booking.venues.seed import VENUE_ID
from services.payments.app import openapi
from tests.integration.payments.exchange import Exchange

CALLERS = ("anonymous", "player", "staff elsewhere", "staff", "admin")
ROLES = {"player": "player", "staff elsewhere": "staff", "staff": "staff", "admin": "admin"}
REFUSALS = {401: {"token-missing"}, 403: {"staff-only", "admin-only", "signature-not-valid"}}
BECAUSE = {"reason": "The lights went out"}

Ask = tuple[str, Any]


async def _payments(exchange: Exchange) -> Ask:
    return f"/v1/payments?booking_id={(await exchange.hold()).booking_id}", None


async def _payment(exchange: Exchange) -> Ask:
    [account] = await exchange.accounts(await exchange.hold())
    return account["links"]["self"], None


async def _refund(exchange: Exchange) -> Ask:
    visit = await exchange.hold()
    await exchange.tell_paid(await exchange.pay(visit), visit.checkout_id)
    await exchange.carry()
    [account] = await exchange.accounts(visit)
    return account["links"]["refund"], BECAUSE


async def _comparison(exchange: Exchange) -> Ask:
    return f"/v1/ops/reconciliations/{(await exchange.reconcile())['id']}", None


def at(path: str, body: Any = None) -> Callable[[Exchange], Awaitable[Ask]]:
    async def ask(_: Exchange) -> Ask:
        return path.replace("{id}", str(uuid4())), body

    return ask


DEAD = "/v1/ops/dead-letters"
#                        anonymous, player, elsewhere, staff, admin
OPERATOR, NOT_THERE = (401, 403, 403, 403, 200), (401, 403, 403, 403, 404)

ROWS: dict[str, tuple[tuple[int, ...], Callable[[Exchange], Awaitable[Ask]]]] = {
    "GET /v1/payments": ((401, 403, 200, 200, 200), _payments),
    "GET /v1/payments/{payment_id}": ((401, 403, 404, 200, 200), _payment),
    "POST /v1/payments/{payment_id}/refund": ((401, 403, 404, 202, 202), _refund),
    "GET /v1/quarantine": ((401, 403, 200, 200, 200), at("/v1/quarantine")),
    "POST /v1/ops/reconciliations": ((401, 403, 403, 403, 202), at("/v1/ops/reconciliations", {})),
    "GET /v1/ops/reconciliations": (OPERATOR, at("/v1/ops/reconciliations")),
    "GET /v1/ops/reconciliations/{reconciliation_id}": (OPERATOR, _comparison),
    "GET /v1/ops/dead-letters": (OPERATOR, at(DEAD)),
    "GET /v1/ops/dead-letters/groups": (OPERATOR, at(DEAD + "/groups")),
    "GET /v1/ops/dead-letters/{dead_letter_id}": (NOT_THERE, at(DEAD + "/{id}")),
    "POST /v1/ops/dead-letters/{dead_letter_id}/redrive": (NOT_THERE, at(DEAD + "/{id}/redrive", BECAUSE)),
    "POST /v1/ops/dead-letters/{dead_letter_id}/edit": (NOT_THERE, at(DEAD + "/{id}/edit", BECAUSE | {"value": {}})),
    "POST /v1/ops/dead-letters/{dead_letter_id}/discard": (NOT_THERE, at(DEAD + "/{id}/discard", BECAUSE)),
    "POST /v1/ops/dead-letters/{dead_letter_id}/reopen": (NOT_THERE, at(DEAD + "/{id}/reopen", BECAUSE)),
    "POST /v1/ops/dead-letters/redrives": (
        (401, 403, 403, 403, 409),
        at(DEAD + "/redrives", BECAUSE | {"error_class": "Never"}),
    ),
    "GET /v1/ops/dead-letters/redrives/{redrive_id}": (NOT_THERE, at(DEAD + "/redrives/{id}")),
    "POST /v1/ops/dead-letters/redrives/{redrive_id}/halt": (NOT_THERE, at(DEAD + "/redrives/{id}/halt", BECAUSE)),
    "POST /webhooks/polar": ((403,) * 5, at("/webhooks/polar", {"type": "order.paid"})),
}


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    paths = json.loads(openapi())["paths"]
    assert set(ROWS) == {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


@pytest.fixture(scope="module")
async def scene(exchange: Exchange) -> Exchange:
    await exchange.payments.hire("staff", VENUE_ID)
    await exchange.payments.hire("staff elsewhere", uuid4())
    return exchange


async def written(exchange: Exchange) -> list[int]:
    tables = ("refunds", "payment_history", "reconciliations", "polar_webhooks", "outbox", "idempotency_keys")
    counted = [await exchange.payments.rows(f"SELECT count(*) FROM {table}") for table in tables]
    return [row["count"] for [row] in counted]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", ROWS)
async def test_rights(scene: Exchange, route: str, caller: str) -> None:
    expected, make = ROWS[route]
    path, body = await make(scene)
    before, user = await written(scene), None if caller == "anonymous" else caller
    answer = await scene.payments.ask(route.split(maxsplit=1)[0], path, user, ROLES.get(caller, "player"), json=body)
    assert answer.status_code == expected[CALLERS.index(caller)], answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in REFUSALS.get(answer.status_code, {answer.json()["code"]})
        assert await written(scene) == before
