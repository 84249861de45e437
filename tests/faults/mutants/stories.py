"""Small stories of one or two players each, who know nothing of the others. None asserts anything."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Any

from deploy.player import Slot
from deploy.tokens import Role
from tests.faults.mutants.club import HOLD_SECONDS
from tests.faults.mutants.players import NothingCame, Player, until
from tests.faults.mutants.stage import Stage

Told = dict[str, Any]
"""What the plan itself did, for `run.json`."""
RACERS = 6
PARTIAL_REFUND_MINOR = 500
OVER_SECONDS = 1.5
"""Behind its end, a hold may be in the way for one second."""


class Cast:
    """Who plays: their names and addresses are the words that may be nowhere."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.players = stage, list[Player]()

    def enter(self, name: str, role: Role = Role.PLAYER) -> Player:
        self.players.append(Player(self.stage, name, role))
        return self.players[-1]

    def told(self) -> Told:
        return {"canaries": ["Quagga", *(player.email for player in self.players)]}


async def a_paid_booking_and_a_request_sent_twice(cast: Cast, slot: Slot) -> None:
    ana, key = cast.enter("Ana"), secrets.token_hex(8)
    booking_id = await ana.hold(slot, key)
    await ana.hold(slot, key)
    if booking_id is None:
        return
    await cast.enter("Ian").get(booking_id)
    await ana.pay(await ana.checkout(booking_id))
    await ana.confirmed(booking_id)
    await ana.hold(slot, key)


async def a_race_for_one_slot(cast: Cast, slot: Slot) -> None:
    racers = [cast.enter(f"Racer{number}") for number in range(RACERS)]
    won = await asyncio.gather(*(racer.hold(slot) for racer in racers))
    for racer, booking_id in zip(racers, won, strict=True):
        if booking_id is not None:
            await racer.get(booking_id)


async def more_slots_than_one_may_have(cast: Cast, slots: list[Slot]) -> None:
    bob = cast.enter("Bob")
    for slot in slots:
        await bob.hold(slot)


async def a_paid_booking_is_called_off(cast: Cast, slot: Slot) -> None:
    carl = cast.enter("Carl")
    await carl.cancel(await carl.book(slot))


async def a_paid_booking_cannot_be_called_off_any_more(cast: Cast, slot: Slot) -> None:
    dora = cast.enter("Dora")
    await dora.cancel(await dora.book(slot))


async def a_late_payment_for_a_slot_that_is_gone(cast: Cast, slots: list[Slot]) -> None:
    """The page must be there before the hold is over; if not, the next player is luckier. Who gets the slot keeps it, however long
    the payment takes."""
    for slot in slots:
        eva, desk = cast.enter("Eva"), cast.enter("Fin", Role.ADMIN)
        booking_id = await eva.hold(slot)
        if booking_id is None:
            continue
        with contextlib.suppress(NothingCame):
            page = await eva.checkout(booking_id, HOLD_SECONDS)
            await _gets(desk, slot, for_nothing=True)
            await eva.pay(page)
            return


async def a_slot_is_free_again(cast: Cast, slot: Slot) -> None:
    """The moment the hold on it is over, with nobody else having done anything about it."""
    gus, max_ = cast.enter("Gus"), cast.enter("Max")
    if await gus.hold(slot) is not None:
        await asyncio.sleep(HOLD_SECONDS + OVER_SECONDS)
        with contextlib.suppress(NothingCame):
            await _gets(max_, slot, patience_seconds=5)


async def _gets(player: Player, slot: Slot, patience_seconds: float = 15, *, for_nothing: bool = False) -> None:
    async def taken() -> bool:
        return await player.hold(slot, for_nothing=for_nothing) is not None

    await until("the slot, once the hold is over", taken, patience_seconds)


async def another_amount_is_paid(cast: Cast, slot: Slot) -> None:
    gil = cast.enter("Gil")
    booking_id = await gil.hold(slot)
    if booking_id is None:
        return
    page = await gil.checkout(booking_id)
    query = "SELECT checkout_id FROM payment_attempts WHERE booking_id = $1"
    [(checkout_id,)] = await cast.stage.fetch("payments", query, booking_id)
    edit = f"{cast.stage.url('polar')}/_admin/checkouts/{checkout_id}/edit"
    (await cast.stage.client.post(edit, json={"amount": 100})).raise_for_status()
    await gil.pay(page)


async def staff_give_a_part_back(cast: Cast, slot: Slot) -> None:
    hana, desk = cast.enter("Hana"), cast.enter("Desk", Role.ADMIN)
    booking_id = await hana.book(slot)
    await desk.staff_refund(booking_id, PARTIAL_REFUND_MINOR)


async def a_booking_is_moved(cast: Cast, slot: Slot, other: Slot) -> None:
    jo = cast.enter("Jo")
    booking_id = await jo.book(slot)
    await jo.reschedule(booking_id, other)


async def a_hold_is_given_up_at_once(cast: Cast, slot: Slot) -> None:
    kim = cast.enter("Kim")
    if booking_id := await kim.hold(slot):
        await kim.cancel(booking_id)


async def a_paid_booking(cast: Cast, slot: Slot) -> None:
    await cast.enter("Lea").book(slot)


async def a_forged_webhook(stage: Stage) -> None:
    headers = {"webhook-id": secrets.token_hex(8), "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    body = {"type": "order.paid", "data": {"id": "00000000-0000-0000-0000-000000000001"}}
    request = stage.client.build_request("POST", f"{stage.url('payments')}/webhooks/polar", json=body, headers=headers)
    await stage.history.call(stage.client, "webhook", request)
