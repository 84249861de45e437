"""A request that meets an outage of the database is told so, and to come again with the same key: it may have been carried out."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.booking.settings import BookingSettings
from services.chassis import http
from services.chassis.database import NoDatabase

OUTAGES = (
    asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    PoolTimeoutError("QueuePool limit of size 10 overflow 10 reached, connection timed out, timeout 5.00"),
    NoDatabase("gaierror"),
    ConnectionResetError(),
)


def asking(failure: Exception) -> httpx.AsyncClient:
    router = APIRouter()

    @router.get("/v1/court")
    async def court() -> None:
        raise failure

    settings = BookingSettings(database_url="postgresql://booking@127.0.0.1/booking")
    app: Any = http.create_app(settings, "Courts", 100, [router])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://courts")


@pytest.mark.parametrize("failure", OUTAGES, ids=lambda failure: type(failure).__name__)
async def test_an_outage_is_a_503_that_says_to_ask_again_with_the_same_key(failure: Exception) -> None:
    async with asking(failure) as client:
        answer = await client.get("/v1/court")
    assert (answer.status_code, answer.json()["code"]) == (503, "database-away")
    assert int(answer.headers["retry-after"]) > 0
    assert "same Idempotency-Key" in answer.json()["detail"]
    assert "Nothing was changed" not in answer.json()["detail"]
