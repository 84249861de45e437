"""What the club's own people do: close a court for some hours and open it again, and book for somebody who called."""

from __future__ import annotations

import asyncio

from tests.faults.clients import paying
from tests.faults.clients.client import Client
from tests.faults.clients.scene import Scene
from tests.faults.plan.plan import Operation

BLOCKED_SECONDS = 4.0


async def blocks_a_court(scene: Scene, visit: Operation) -> None:
    """Half of the blocks stand to the end."""
    desk, slot = scene.staff(), scene.slot(visit.slot)
    body = {
        "court_ids": [slot.court_id],
        "starts_at": slot.starts_at,
        "ends_at": slot.hours_later(visit.arguments["hours"]),
        "reason": "Padel school",
        "over_bookings": visit.arguments["over_bookings"],
    }
    path, arguments = f"/v1/venues/{slot.venue_id}/blocked-slots", {"venue_id": slot.venue_id, **body}
    blocked = await desk.insist("block", "POST", path, body=body, arguments=arguments)
    if blocked.is_ok and visit.player % 2:
        await asyncio.sleep(BLOCKED_SECONDS)
        for block in blocked.body["blocked_slots"]:
            await _unblock(desk, block["id"])


async def is_booked_by_staff(scene: Scene, visit: Operation) -> None:
    """For a player whom the club knows, and for nothing."""
    player = scene.player(visit.player)
    known = await player.ask("me", "GET", "/v1/me", arguments={})
    if known.is_ok:
        await paying.hold(scene.staff(), scene.slot(visit.slot), user_id=player.user, without_payment=True)


async def _unblock(desk: Client, block_id: str) -> None:
    arguments = {"blocked_slot_id": block_id}
    for _ in range(3):
        answer = await desk.ask("unblock", "DELETE", f"/v1/blocked-slots/{block_id}", arguments=arguments)
        if not answer.is_worth_another_try:
            return
        await asyncio.sleep(0.5)
