"""From a cancellation to the money at the player's bank, through all three services."""

from __future__ import annotations

import asyncio
from typing import Any

from deploy import tokens
from tests.e2e.conftest import System, finished

PATIENCE_SECONDS = 60


async def test_a_cancelled_booking_is_paid_back(system: System) -> None:
    result = await finished(await system.demo())
    installation, booking_id = system.stack.installation, result["booking_id"]
    token = tokens.mint(installation.paths.keys, "marta@club.test", "Marta", tokens.Role.ADMIN)
    headers = {"Authorization": f"Bearer {token}"}
    path = f"{installation.url('booking')}/v1/bookings/{booking_id}/cancel"
    cancelled = await system.client.post(path, json={"reason": "Rain"}, headers=headers)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")

    async def payments() -> list[dict[str, Any]]:
        listed = await system.client.get(
            f"{installation.url('payments')}/v1/payments", params={"booking_id": booking_id}, headers=headers
        )
        assert listed.status_code == 200, listed.text
        items: list[dict[str, Any]] = listed.json()["items"]
        return items

    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await payments()) or not found[0]["refunded"]["amount"]:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)
    assert found[0]["refunded"] == found[0]["paid"]
    ledger = await system.client.get(f"{installation.url('polar')}/_admin/ledger", params={"booking_id": booking_id})
    assert {name: ledger.json()[name] for name in ("charges", "refunds", "balance_minor")} == {
        "charges": 1,
        "refunds": 1,
        "balance_minor": 0,
    }
