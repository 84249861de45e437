"""Steps that stories are made of: hold, find the payment page, pay there, look."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

import httpx

from deploy.local.environment import POLAR_PRODUCT_ID
from tests.faults.clients.client import Answer, Client
from tests.faults.clients.scene import Scene, Slot

LOOK_SECONDS = (1.0, 6.0)
"""Between the first two looks, and between the last. Two hundred who look every other second leave two cores no time for anything else."""
PAGE_PATIENCE_SECONDS = 30.0
"""Half of a hold. Whoever waits takes the place of somebody who would book."""
CONFIRMATION_PATIENCE_SECONDS = 8.0
"""Who has paid closes the page soon; the booking does not depend on that."""
CONFLICT = 409


async def hold(client: Client, slot: Slot, **more: Any) -> Answer:
    body = {**slot.where, **more}
    return await client.insist("hold", "POST", "/v1/bookings", body=body, arguments=body)


async def hold_somewhere(scene: Scene, client: Client, number: int, tries: int = 3) -> Answer:
    """This slot, or when it is taken another one: as many bookings as there are visits."""
    for attempt in range(tries):
        answer = await hold(client, scene.slot(number + attempt * 101))
        if answer.is_ok:
            scene.seen.append(answer.body["id"])
        if answer.is_ok or answer.code != "slot-already-taken":
            break
    return answer


async def look(client: Client, booking_id: str) -> Answer:
    return await client.ask("get", "GET", f"/v1/bookings/{booking_id}", arguments={"booking_id": booking_id})


async def find_page(scene: Scene, client: Client, booking_id: str) -> dict[str, Any] | None:
    """The checkout, as Polar has it; None when there was no way to it in time."""
    deadline, (pause, longest) = time.monotonic() + PAGE_PATIENCE_SECONDS, LOOK_SECONDS
    while time.monotonic() < deadline:
        asked = {"booking_id": booking_id}
        answer = await client.ask("checkout", "GET", f"/v1/bookings/{booking_id}/checkout", arguments=asked)
        if answer.is_ok:
            return await checkout_at(scene, answer.headers["location"])
        if answer.outcome == "fail" and answer.code != "checkout-not-ready":
            return None
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, longest)
    return None


async def checkout_at(scene: Scene, url: str) -> dict[str, Any]:
    """What the page at this address asks for."""
    found: dict[str, Any] = await scene.system.pull("polar", f"checkouts/{url.rpartition('/')[2]}", "GET")
    return found


async def pay(scene: Scene, client: Client, booking_id: str, checkout: dict[str, Any], **about: Any) -> Answer:
    """On the provider's page, which is none of ours. `about` says what is odd about it."""
    arguments = {
        "booking_id": booking_id,
        "checkout_id": checkout["id"],
        "amount_minor": checkout["amount"],
        "currency": checkout["currency"],
        **about,
    }
    lever = f"{scene.system.url('polar')}/_admin/checkouts/{checkout['id']}/pay"
    stranger = Client(scene.history, client.http, client.url, client.user)
    return await stranger.ask("pay", "POST", lever, arguments=arguments)


async def until_confirmed(client: Client, booking_id: str) -> None:
    """Or until the player closes the page."""
    deadline, (pause, longest) = time.monotonic() + CONFIRMATION_PATIENCE_SECONDS, LOOK_SECONDS
    while time.monotonic() < deadline:
        answer = await look(client, booking_id)
        if answer.is_ok and answer.body["status"] != "held":
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, longest)


async def until_over(booking: dict[str, Any]) -> None:
    """Until a moment after the hold has run out, by the answer to the hold."""
    ends_at = datetime.fromisoformat(booking["hold_expires_at"])
    await asyncio.sleep(max(0.0, (ends_at - datetime.now(ends_at.tzinfo)).total_seconds()) + 1.0)


async def second_page(scene: Scene, checkout: dict[str, Any]) -> dict[str, Any]:
    """Of the same attempt, as a worker makes that does not know of the other."""
    currency = checkout["currency"]
    price = {"amount_type": "fixed", "price_amount": checkout["amount"], "price_currency": currency}
    told = {
        "products": [POLAR_PRODUCT_ID],
        "prices": {POLAR_PRODUCT_ID: [price | {"tax_behavior": "inclusive"}]},
        "currency": currency,
        "customer_email": checkout["customer_email"],
        "metadata": checkout["metadata"],
    }
    token = scene.system.stack.installation.secrets.polar_access_token
    headers = {"Authorization": f"Bearer {token}"}
    answer = await scene.system.client.post(f"{scene.system.url('polar')}/v1/checkouts/", json=told, headers=headers)
    answer.raise_for_status()
    try:
        made: dict[str, Any] = answer.json()
    except ValueError as garbled:  # a fault of the provider's
        raise httpx.DecodingError("no page") from garbled
    return made
