"""Players and staff: each request is the route's own function, called as FastAPI calls it, in a process of the API that may die."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from fastapi import Response

from services.booking.blocked_slots.api import block_slots, unblock_slots
from services.booking.blocked_slots.representation import BlockIn
from services.booking.bookings.api import cancel_booking, hold_slot, reschedule_booking
from services.booking.bookings.outlook import Outlook, Outlooks
from services.booking.bookings.representation import CancelIn, HoldIn, RescheduleIn
from services.booking.users.api import erase_me
from services.booking.venues.domain import Court, Slot, Venue
from services.booking.venues.seed import VENUE_ID, court_id
from services.chassis.auth import Principal
from services.chassis.problems import Problem
from tests.simulation.history import Call
from tests.simulation.turns import Actor
from tests.simulation.world import World

PLAYERS = ("ana", "bo", "cem", "dee")
"""Few, so that their bookings meet."""
ADMIN = "marta"
COURTS = (court_id(1), court_id(5))
"""One of 90 minute slots, one of 60."""
DAYS, SLOTS = (1, 2, 1, 3, 0), 3
"""How many days ahead: some within the time in which nobody may cancel any more."""


def user_id(name: str) -> UUID:
    return uuid5(VENUE_ID, name)


def principal(name: str) -> Principal:
    role = "admin" if name == ADMIN else "player"
    return Principal.model_validate(
        {"sub": user_id(name), "email": f"{name}@club.example", "name": name, "locale": "en", "role": role}
    )


NAMES = {user_id(name): name for name in (*PLAYERS, ADMIN)}


def ask(world: World, op: str, name: str, **arguments: Any) -> Actor:
    """A new request, under a key of its own."""
    number = len(world.calls)
    call = Call(number, op, user_id(name), arguments, f"key {number}")
    return _begin(world, call)


def ask_again(world: World, first: Call) -> Actor:
    """The very same, under the same key, as a client does that got no answer."""
    answered = any(call.key == first.key and call.outcome == "ok" for call in world.calls)
    again = Call(len(world.calls), first.op, first.user_id, first.arguments, first.key, first.number, answered)
    return _begin(world, again)


def _begin(world: World, call: Call) -> Actor:
    world.calls.append(call)
    known_users = world.known_users  # of the process in which it begins

    async def run() -> None:
        try:
            answer = await OPERATIONS[call.op](world, call, known_users)
        except Problem as problem:
            call.end("fail", problem.status, problem.code.encode())
        else:
            call.end("ok", answer.status_code, bytes(answer.body))
        world.trace.append(f"call {call.number} {call.op}: {call.outcome} {call.status}")

    return world.turns.begin(f"{call.op} {call.number}", world.booking.api, run)


class _Alone(Outlooks):
    """Each looks in a turn of its own: who looks together with whom is the loop's choice, not the seed's."""

    async def of(self, venue: Venue, court: Court, slot: Slot) -> Outlook:
        return await self._look((venue, court, slot))


async def _hold(world: World, call: Call, known_users: Any) -> Response:
    body = HoldIn(**call.arguments)
    return await hold_slot(body, *_told(world, call), known_users, _Alone(world.booking.chassis), call.key)


async def _cancel(world: World, call: Call, _: Any) -> Response:
    return await cancel_booking(call.arguments["booking_id"], CancelIn(), *_told(world, call), call.key)


async def _move(world: World, call: Call, _: Any) -> Response:
    arguments = dict(call.arguments)
    booking_id = arguments.pop("booking_id")
    looks = _Alone(world.booking.chassis)
    return await reschedule_booking(booking_id, RescheduleIn(**arguments), *_told(world, call), looks, call.key)


async def _block(world: World, call: Call, known_users: Any) -> Response:
    body = BlockIn(reason="Padel school", **call.arguments)
    return await block_slots(VENUE_ID, body, *_told(world, call), known_users, False, call.key)  # noqa: FBT003 - the route's


async def _unblock(world: World, call: Call, _: Any) -> Response:
    await unblock_slots(call.arguments["block_id"], *_told(world, call))
    return Response(b"{}")


async def _erase(world: World, call: Call, known_users: Any) -> Response:
    await erase_me(*_told(world, call), known_users)
    return Response(b"{}")


def _told(world: World, call: Call) -> tuple[Any, Any, Any]:
    return principal(NAMES[call.user_id]), world.booking.chassis, world.catalogue


OPERATIONS: Mapping[str, Callable[[World, Call, Any], Awaitable[Response]]] = {
    "hold": _hold,
    "cancel": _cancel,
    "move": _move,
    "block": _block,
    "unblock": _unblock,
    "erase": _erase,
}


async def slot_at(world: World, court: int, place: int) -> dict[str, Any]:
    """One of those of the next days, by its number: what `hold` and `move` want."""
    venue, found = await world.catalogue.court(COURTS[court % len(COURTS)])
    day, number = divmod(place % (len(DAYS) * SLOTS), SLOTS)
    slots = venue.slots(found, _day(world.clock.at, DAYS[day]))
    starts_at = slots[(number * 4) % len(slots)].starts_at.isoformat()
    return {"court_id": found.id, "starts_at": starts_at}


def an_hour_from(starts_at: str, court: UUID) -> dict[str, Any]:
    begins = datetime.fromisoformat(starts_at)
    return {"court_ids": [court], "starts_at": begins, "ends_at": begins + timedelta(hours=1)}


def _day(now: datetime, ahead: int) -> date:
    return now.date() + timedelta(days=ahead)
