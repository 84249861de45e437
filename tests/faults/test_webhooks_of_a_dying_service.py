"""Polar calls, and the process that takes the call dies before it answers: Polar calls again, and the webhook is there once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from deploy.local.postgres import Postgres
from services.chassis import crash_points
from services.chassis.migrations import upgrade
from services.payments.settings import PaymentsSettings
from tests.integration.payments.builders import signed, webhook
from tests.programs import wait_until
from tests.stack import TestStack

pytestmark = pytest.mark.slow

NAME = "payments-that-dies"
AT_ONCE = 10


@dataclass(frozen=True)
class Till:
    """Where Polar's webhooks come in, and what was kept of them."""

    stack: TestStack
    url: str
    database: asyncpg.Connection[Any]

    async def open(self, crash_at: str = "") -> str:
        """An API process. It has no cron and no consumer: all its transactions are webhooks."""
        told = {"PAYMENTS_DATABASE_URL": self.url, crash_points.VARIABLE: crash_at}
        return await self.stack.start("payments", "api", name=NAME, **told)

    async def calls(self, url: str, body: bytes, webhook_id: str) -> int:
        secret = self.stack.installation.secrets.polar_webhook_secret
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            headers = signed(body, webhook_id, secret)
            return (await client.post(f"{url}/webhooks/polar", content=body, headers=headers)).status_code

    async def kept(self, webhook_id: str, key: str) -> tuple[int, int]:
        """Rows of this webhook, and records that pass it on."""
        rows = "SELECT count(*) FROM polar_webhooks WHERE webhook_id = $1"
        records = "SELECT count(*) FROM outbox WHERE aggregateid = $1"
        return await self.database.fetchval(rows, webhook_id), await self.database.fetchval(records, key)


@pytest.fixture(scope="module")
async def till(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[Till]:
    del postgres  # it must run
    url = await idle_stack.new_database("payments")
    environment = idle_stack.environment("payments", PAYMENTS_DATABASE_URL=url)
    told = {name.removeprefix("PAYMENTS_").lower(): value for name, value in environment.items()}
    settings = {name: value for name, value in told.items() if name in ("database_url", "polar_product_id")}
    secrets = {"polar_base_url": "http://polar.test", "polar_access_token": "none"}
    await asyncio.to_thread(upgrade, PaymentsSettings.model_validate(settings | secrets))
    database = await asyncpg.connect(url)
    yield Till(idle_stack, url, database)
    await database.close()


@pytest.mark.parametrize(("point", "stored"), [("transaction.written", 0), ("transaction.committed", 1)])
async def test_a_webhook_whose_process_is_killed_is_kept_once(till: Till, point: str, stored: int) -> None:
    webhook_id, checkout_id = str(uuid4()), str(uuid4())
    body = webhook("order.paid", id=str(uuid4()), checkout_id=checkout_id)
    url = await till.open(f"{point}:1")
    with pytest.raises(httpx.TransportError):
        await till.calls(url, body, webhook_id)
    wait_until(lambda: till.stack.processes.running(NAME) is None, f"killed at {point}")
    assert await till.kept(webhook_id, checkout_id) == (stored, stored)

    url = await till.open()
    try:
        codes = await asyncio.gather(*(till.calls(url, body, webhook_id) for _ in range(AT_ONCE)))
        assert set(codes) == {202}, "ten times at once, as often as Polar likes"
        assert await till.kept(webhook_id, checkout_id) == (1, 1)
    finally:
        await till.stack.stop(NAME)
