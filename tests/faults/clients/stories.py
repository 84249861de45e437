"""What players live through, by the names of `plan/visits.py`."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from tests.faults.clients import paying
from tests.faults.clients.client import Answer, Client
from tests.faults.clients.scene import Scene, Slot
from tests.faults.plan.plan import Operation

WRONG_AMOUNT_MINOR = 100
NEXT_SLOT = 37
"""How far off in the seed's order a player looks for another slot."""


async def pays(scene: Scene, visit: Operation) -> None:
    client = scene.player(visit.player)
    if (booking_id := await _paid(scene, client, visit)) is None:
        return
    await paying.until_confirmed(client, booking_id)
    afterwards = visit.arguments["afterwards"]
    if afterwards == "cancels":
        await cancel(client, booking_id)
    elif afterwards == "cancels twice":
        key = str(uuid4())
        await asyncio.gather(*(cancel(each, booking_id, key) for each in (client, scene.player(visit.player))))
    elif afterwards == "moves":
        await move(scene, client, booking_id, visit.slot + NEXT_SLOT)


async def never_pays(scene: Scene, visit: Operation) -> None:
    client = scene.player(visit.player)
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if held.is_ok:
        await paying.find_page(scene, client, held.body["id"])


async def pays_late(scene: Scene, visit: Operation) -> None:
    """The page was open all the time; another player may have the court by now."""
    client = scene.player(visit.player)
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if not held.is_ok:
        return
    checkout = await paying.find_page(scene, client, held.body["id"])
    if checkout:
        await paying.until_over(held.body)
        if visit.player % 2:
            await paying.hold(scene.player(-visit.player), _slot_of(scene, held))
        await paying.pay(scene, client, held.body["id"], checkout, late=True)


async def pays_twice(scene: Scene, visit: Operation) -> None:
    client = scene.player(visit.player)
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if held.is_ok and (checkout := await paying.find_page(scene, client, held.body["id"])):
        second = await paying.second_page(scene, checkout)
        await asyncio.gather(
            paying.pay(scene, client, held.body["id"], checkout),
            paying.pay(scene, client, held.body["id"], second, surplus=True),
        )


async def pays_a_wrong_amount(scene: Scene, visit: Operation) -> None:
    """The page asks for less than was quoted: somebody has tampered with it."""
    client = scene.player(visit.player)
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if held.is_ok and (checkout := await paying.find_page(scene, client, held.body["id"])):
        lever = f"checkouts/{checkout['id']}/edit"
        edited = await scene.system.pull("polar", lever, amount=WRONG_AMOUNT_MINOR)
        await paying.pay(scene, client, held.body["id"], edited, wrong=True)


async def pays_at_the_second_try(scene: Scene, visit: Operation) -> None:
    """The first card is declined."""
    client = scene.player(visit.player)
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if held.is_ok and (checkout := await paying.find_page(scene, client, held.body["id"])):
        await scene.system.pull("polar", f"checkouts/{checkout['id']}/decline")
        await paying.pay(scene, client, held.body["id"], checkout)


async def gives_the_hold_back(scene: Scene, visit: Operation) -> None:
    """Perhaps while the payment page is being made."""
    client = scene.player(visit.player)
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if held.is_ok:
        await cancel(client, held.body["id"])


async def races_for_a_slot(scene: Scene, visit: Operation) -> None:
    """Several players at one slot, at once: one of them pays."""
    rivals = [scene.client(scene.person(f"rival{visit.player}.{n}")) for n in range(visit.arguments["rivals"])]
    slot = scene.slot(visit.slot)
    answers = await asyncio.gather(*(paying.hold(rival, slot) for rival in rivals))
    for rival, answer in zip(rivals, answers, strict=True):
        if answer.is_ok and (checkout := await paying.find_page(scene, rival, answer.body["id"])):
            await paying.pay(scene, rival, answer.body["id"], checkout)


async def asks_twice_at_once(scene: Scene, visit: Operation) -> None:
    """A double click: two requests with one key are one booking."""
    key, body = str(uuid4()), scene.slot(visit.slot).where
    clicks = (scene.player(visit.player), scene.player(visit.player))
    first, _ = await asyncio.gather(
        *(each.insist("hold", "POST", "/v1/bookings", body=body, arguments=body, key=key) for each in clicks)
    )
    if first.is_ok and (checkout := await paying.find_page(scene, clicks[0], first.body["id"])):
        await paying.pay(scene, clicks[0], first.body["id"], checkout)


async def looks_around(scene: Scene, visit: Operation) -> None:
    client, slot = scene.player(visit.player), scene.slot(visit.slot)
    asked = {"venue_id": slot.venue_id, "from": slot.starts_at[:10], "include": "unavailable"}
    await client.ask("availability", "GET", "/v1/availability", arguments=asked, params=asked)
    await client.ask("list", "GET", "/v1/bookings", arguments={})
    await client.ask("me", "GET", "/v1/me", arguments={})


async def cancel(client: Client, booking_id: str, key: str | None = None) -> Answer:
    return await client.insist(
        "cancel", "POST", f"/v1/bookings/{booking_id}/cancel", body={}, arguments={"booking_id": booking_id}, key=key
    )


async def move(scene: Scene, client: Client, booking_id: str, number: int) -> Answer:
    """To a slot of the same club."""
    mine = await paying.look(client, booking_id)
    if not mine.is_ok:
        return mine
    same_club = [slot for slot in scene.slots if slot.venue_id == mine.body["venue_id"]]
    body = same_club[number % len(same_club)].where
    arguments = {"booking_id": booking_id, **body}
    return await client.insist(
        "reschedule", "POST", f"/v1/bookings/{booking_id}/reschedule", body=body, arguments=arguments
    )


async def _paid(scene: Scene, client: Client, visit: Operation) -> str | None:
    held = await paying.hold_somewhere(scene, client, visit.slot)
    if not held.is_ok:
        return None
    booking_id: str = held.body["id"]
    checkout = await paying.find_page(scene, client, booking_id)
    if checkout is None:
        return None
    paid = await paying.pay(scene, client, booking_id, checkout)
    return booking_id if paid.is_ok else None


def _slot_of(scene: Scene, held: Answer) -> Slot:
    told = held.body
    price = told["price"]
    return Slot(told["venue_id"], told["court_id"], told["starts_at"], price["amount"], price["currency"])
