"""From HTTP to e-mail, as `courtside demo` plays it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from deploy import tokens
from deploy.demo import EVENTS_OF_A_BOOKING
from tests.e2e.conftest import System, finished

SCHEMAS = Path(__file__).parents[2] / "contracts" / "schemas"


async def test_a_player_books_pays_and_gets_a_mail(system: System) -> None:
    result = await finished(await system.demo())
    assert {"booking_id", "held_ms", "checkout_ms", "paid_ms", "confirmed_ms", "mail_ms", "events"} == result.keys()
    assert [event["type"] for event in result["events"]] == list(EVENTS_OF_A_BOOKING)
    for event in result["events"]:
        assert event["key"] == result["booking_id"]
        schema = json.loads((SCHEMAS / f"{event['type']}.json").read_text())
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(event["data"])
    held, *_, confirmed, _ = (event["data"] for event in result["events"])
    assert (held["version"], confirmed["version"]) == (1, 2)
    assert confirmed["price_minor"] == held["price_minor"] > 0


async def test_staff_see_that_the_mail_arrived(system: System) -> None:
    """Resend's webhook says so, a moment after the mail."""
    booking_id = (await finished(await system.demo()))["booking_id"]
    keys = system.stack.installation.paths.keys
    admin = {"Authorization": f"Bearer {tokens.mint(keys, 'desk@example.com', 'Desk', tokens.Role.ADMIN)}"}
    emails = f"{system.stack.installation.url('notifications')}/v1/emails"
    asked = {"booking_id": booking_id, "kind": "booking-confirmed"}
    async with asyncio.timeout(60):
        while True:
            (mail,) = (await system.client.get(emails, params=asked, headers=admin)).json()["items"]
            if mail["state"] == "delivered":
                break
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_fifty_players_at_once(system: System) -> None:
    result = await finished(await system.demo("--count", "50", "--concurrency", "10"))
    assert {name: result[name] for name in ("count", "confirmed", "charges", "mails", "events")} == {
        "count": 50,
        "confirmed": 50,
        "charges": 50,
        "mails": 50,
        "events": 250,
    }


@pytest.mark.slow
@pytest.mark.parametrize("service", ["booking", "payments", "notifications"])
async def test_a_service_that_is_killed_in_the_middle_loses_and_doubles_nothing(system: System, service: str) -> None:
    before = await system.charges()
    demo = await system.demo("--count", "50", "--concurrency", "10")
    while (paid := await system.charges() - before) < 10:
        assert demo.returncode is None, "the run ended before its middle"
        await asyncio.sleep(0.02)
    assert paid < 45
    await system.stack.kill(service)
    await system.start(service)
    result = await finished(demo)
    assert (result["confirmed"], result["charges"], result["mails"]) == (50, 50, 50)


async def test_a_forged_webhook_changes_nothing(system: System) -> None:
    payments = system.stack.installation.url("payments")
    forged = {"type": "order.paid", "data": {"id": "00000000-0000-4000-8000-000000000001"}}
    headers = {"webhook-id": "w1", "webhook-timestamp": "1764331200", "webhook-signature": "v1,Zm9yZ2Vk"}
    answer = await system.client.post(f"{payments}/webhooks/polar", json=forged, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
