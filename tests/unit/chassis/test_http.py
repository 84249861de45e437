"""What every answer carries, and what a browser may do from another origin: nothing, unless it was named."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from services.booking.settings import BookingSettings
from services.chassis import http

router = APIRouter()
CLUB, STRANGER = "https://club.example", "https://stranger.example"


@router.get("/v1/court")
async def court() -> dict[str, str]:
    return {"name": "Pista 1"}


def asking(**told: Any) -> httpx.AsyncClient:
    settings = BookingSettings(database_url="postgresql://booking@127.0.0.1/booking", **told)
    app: Any = http.create_app(settings, "Courts", 100, [router])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://courts")


@pytest.mark.parametrize("path", ["/v1/court", "/nowhere", "/docs", "/openapi.json", "/problems"])
async def test_every_answer_says_how_a_browser_must_take_it(path: str) -> None:
    async with asking() as client:
        answer = await client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len(answer.headers.get_list("content-security-policy")) == 1
    assert "strict-transport-security" not in answer.headers, "the address is http"


async def test_who_came_by_https_comes_so_again() -> None:
    async with asking(public_url="https://api.club.example") as client:
        assert "max-age=" in (await client.get("/v1/court")).headers["strict-transport-security"]


async def test_no_page_of_another_origin_may_call() -> None:
    async with asking() as client:
        answer = await client.get("/v1/court", headers={"Origin": CLUB})
        asked = {"Origin": CLUB, "Access-Control-Request-Method": "POST"}
        preflight = await client.options("/v1/court", headers=asked)
    assert not [name for reply in (answer, preflight) for name in reply.headers if name.startswith("access-control")]


async def test_the_clubs_own_page_may_call_and_read_what_it_needs() -> None:
    async with asking(cors_origins=(CLUB,)) as client:
        asked = {"Origin": CLUB, "Access-Control-Request-Method": "POST"}
        wanted = {"Access-Control-Request-Headers": "authorization,idempotency-key,if-match"}
        preflight = await client.options("/v1/court", headers=asked | wanted)
        answer = await client.get("/v1/court", headers={"Origin": CLUB})
        refused = await client.post("/v1/court", headers={"Origin": CLUB}, content=b"x" * 101)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, CLUB)
    assert "access-control-allow-credentials" not in preflight.headers
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (413, CLUB)


async def test_a_strangers_page_may_not() -> None:
    async with asking(cors_origins=(CLUB,)) as client:
        answer = await client.get("/v1/court", headers={"Origin": STRANGER})
        preflight = await client.options(
            "/v1/court", headers={"Origin": STRANGER, "Access-Control-Request-Method": "GET"}
        )
    assert "access-control-allow-origin" not in answer.headers
    assert preflight.status_code == 400
