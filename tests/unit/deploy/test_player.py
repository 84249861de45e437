"""The player of `courtside demo` behind a gateway."""

from __future__ import annotations

import httpx
import pytest

from deploy.demo import _urls
from deploy.local.errors import WrongEnvironment
from deploy.player import Player, Urls, patiently

GATEWAY = "http://club.example"


async def test_the_token_goes_to_the_api_and_to_nobody_else_behind_the_gateway() -> None:
    shown: dict[str, str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        shown[request.url.path] = request.headers.get("Authorization")
        emails = [{"id": "m1", "tags": [{"name": "kind", "value": "booking-confirmed"}]}]
        return httpx.Response(200, json={"status": "confirmed", "emails": emails})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        player = Player(client, Urls.behind(f"{GATEWAY}/"), "ana@example.com", "secret")
        await player.await_confirmation("b1")
        await player.read_mail("b1", "booking-confirmed")
    assert shown == {"/v1/bookings/b1": "Bearer secret", "/standins/resend/_admin/emails": None}


async def test_a_player_who_is_told_to_wait_does() -> None:
    answers = iter([httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(503), httpx.Response(200)])
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers))) as client:
        answer = await patiently(client, "GET", GATEWAY, 30.0)
    assert answer.status_code == 200


def test_a_gateway_is_an_address() -> None:
    assert _urls(GATEWAY).booking == GATEWAY
    with pytest.raises(WrongEnvironment, match="http://localhost:8080"):
        _urls("localhost:8080")
