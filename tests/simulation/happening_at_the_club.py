"""What players and staff do, in whatever order: also what they should not, and once more when no answer came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulation import people
from tests.simulation.moving import Happening, one_of
from tests.simulation.turns import Actor
from tests.simulation.world import World


async def _hold(world: World, n: tuple[int, ...]) -> Actor:
    player = people.PLAYERS[n[0] % len(people.PLAYERS)]
    return people.ask(world, "hold", player, **await people.slot_at(world, n[1], n[2]))


async def _ask_again(world: World, n: tuple[int, ...]) -> Actor | None:
    unanswered = [call for call in world.calls if call.outcome == "info"]
    call = one_of(n[1], unanswered if n[0] % 2 and unanswered else world.calls)
    return people.ask_again(world, call) if call else None


async def _cancel(world: World, n: tuple[int, ...]) -> Actor | None:
    booking = one_of(n[0], await _bookings(world, "status IN ('held', 'confirmed')"))
    if booking is None:
        return None
    name = people.ADMIN if n[1] % 4 == 0 else people.NAMES[booking["user_id"]]
    return people.ask(world, "cancel", name, booking_id=booking["id"])


async def _move(world: World, n: tuple[int, ...]) -> Actor | None:
    booking = one_of(n[0], await _bookings(world, "status = 'confirmed'"))
    if booking is None:
        return None
    name, slot = people.NAMES[booking["user_id"]], await people.slot_at(world, n[1], n[2])
    return people.ask(world, "move", name, booking_id=booking["id"], **slot)


async def _block(world: World, n: tuple[int, ...]) -> Actor:
    slot = await people.slot_at(world, n[0], n[1])
    over = ("refuse", "cancel", "keep")[n[2] % 3]
    span = people.an_hour_from(slot["starts_at"], slot["court_id"])
    return people.ask(world, "block", people.ADMIN, over_bookings=over, **span)


async def _unblock(world: World, n: tuple[int, ...]) -> Actor | None:
    rows = await world.booking.chassis.database.pool.fetch("SELECT id FROM blocked_slots ORDER BY id")
    block = one_of(n[0], rows)
    return people.ask(world, "unblock", people.ADMIN, block_id=block["id"]) if block else None


async def _erase(world: World, n: tuple[int, ...]) -> Actor:
    return people.ask(world, "erase", people.PLAYERS[n[0] % len(people.PLAYERS)])


async def _pay(world: World, n: tuple[int, ...]) -> None:
    """At a page that the booking showed; now and then at one that nobody was shown. The bank may take its time."""
    shown = {row["checkout_url"] for row in await _bookings(world, "checkout_url IS NOT NULL")}
    pages = world.polar.documents("checkouts", "open")
    page = one_of(n[0], [one for one in pages if n[1] % 8 == 0 or one["url"] in shown])
    if page and world.polar.pay(page["id"], at_once=n[2] % 4 > 0):
        world.trace.append(f"paid {page['id']}")


async def _bookings(world: World, condition: str) -> list[Any]:
    found = f"SELECT id, user_id, checkout_url FROM bookings WHERE {condition} ORDER BY id"
    return list(await world.booking.chassis.database.pool.fetch(found))


HAPPENINGS: Mapping[str, Happening] = {
    "hold": _hold,
    "ask again": _ask_again,
    "pay": _pay,
    "cancel": _cancel,
    "move": _move,
    "block": _block,
    "unblock": _unblock,
    "erase": _erase,
}
