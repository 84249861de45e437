"""Who may do what: every route of the running API times everyone who may come, in one table. A route without a row fails.

A new route needs one row: how it is asked, and what each of the six gets. `Scene` has an owner with a booking to ask about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from courtside_contracts.payment import PaymentSucceeded
from services.booking.venues.seed import VENUE_ID, court_id
from tests.integration.booking.conftest import OTHER_VENUE, Club
from tests.integration.booking.slots import a_free_slot, tomorrow

OPERATIONS = ("get", "put", "post", "patch", "delete")
WITHOUT_RIGHTS = {"GET /livez", "GET /readyz", "GET /metrics"}
"""Health and metrics: the gateway keeps them inside."""

CALLERS = ("anonymous", "owner", "other player", "staff elsewhere", "staff", "admin")
REFUSALS = {401: {"token-missing"}, 403: {"staff-only", "admin-only"}}
"""What the two are for. 404 is every route's own: what does not exist for the caller."""

_numbers = count()


@dataclass
class Scene:
    """Six fresh people for one question, so that no answer depends on another: seats, erasures, and who was seen before."""

    club: Club
    number: int = field(default_factory=lambda: next(_numbers))

    def name(self, caller: str) -> str | None:
        return None if caller == "anonymous" else f"{caller.replace(' ', '-')}-{self.number}"

    @staticmethod
    def role(caller: str) -> str:
        return {"staff": "staff", "staff elsewhere": "staff", "admin": "admin"}.get(caller, "player")

    async def ask(self, caller: str, method: str, path: str, **request: Any) -> Any:
        return await self.club.ask(method, path, self.name(caller), self.role(caller), **request)

    async def sign_in(self, caller: str) -> str:
        return await self.club.sign_in(self.name(caller) or "", self.role(caller))

    async def set_up(self) -> None:
        for caller in CALLERS[1:]:
            await self.sign_in(caller)
        for caller, venue_id in (("staff", VENUE_ID), ("staff elsewhere", OTHER_VENUE)):
            await self.hire(caller, venue_id)

    async def hire(self, caller: str, venue_id: UUID) -> str:
        user_id = await self.sign_in(caller)
        hired = await self.ask("admin", "PUT", f"/v1/venues/{venue_id}/staff/{user_id}")
        assert hired.status_code == 204, hired.text
        return user_id

    async def held(self) -> str:
        """The path of a booking of the owner, that can be paid."""
        held = await self.club.hold(self.name("owner") or "", *a_free_slot())
        assert held.status_code == 201, held.text
        page = "UPDATE bookings SET checkout_url = 'https://pay.example/c' WHERE id = $1"
        await self.club.database.execute(page, held.json()["id"])
        return f"/v1/bookings/{held.json()['id']}"

    async def confirmed(self) -> str:
        """The path of a booking of the owner, made by the club."""
        body = a_slot() | {"user_id": await self.sign_in("owner"), "without_payment": True}
        booked = await self.ask("admin", "POST", "/v1/bookings", json=body)
        assert booked.status_code == 201, booked.text
        return f"/v1/bookings/{booked.json()['id']}"


def a_slot() -> dict[str, Any]:
    court, starts_at = a_free_slot()
    return {"court_id": court, "starts_at": starts_at}


@dataclass(frozen=True)
class Ask:
    """What is sent: the path with its query, and the JSON body."""

    path: str
    body: Any = None


@dataclass(frozen=True)
class Row:
    """`expected` are the six statuses, in the order of `CALLERS`. `case` tells apart the rows of one route."""

    route: str
    expected: tuple[int, int, int, int, int, int]
    ask: Callable[[Scene], Awaitable[Ask]]
    case: str = ""


async def _availability(_: Scene) -> Ask:
    return Ask(f"/v1/availability?venue_id={VENUE_ID}&date={tomorrow().date()}")


async def _hold(_: Scene) -> Ask:
    return Ask("/v1/bookings", a_slot())


async def _hold_for_a_user(scene: Scene) -> Ask:
    return Ask("/v1/bookings", a_slot() | {"user_id": await scene.sign_in("owner")})


async def _hold_without_payment(_: Scene) -> Ask:
    return Ask("/v1/bookings", a_slot() | {"without_payment": True})


async def _read(scene: Scene) -> Ask:
    return Ask(await scene.held())


async def _pay(scene: Scene) -> Ask:
    return Ask(await scene.held() + "/checkout")


async def _cancel(scene: Scene) -> Ask:
    return Ask(await scene.confirmed() + "/cancel", {})


async def _reschedule(scene: Scene) -> Ask:
    return Ask(await scene.confirmed() + "/reschedule", a_slot())


async def _bookings(_: Scene) -> Ask:
    return Ask("/v1/bookings")


async def _entry(scene: Scene) -> Ask:
    return Ask(await scene.confirmed() + "/calendar.ics")


async def _calendar(_: Scene) -> Ask:
    return Ask("/v1/me/calendar")


async def _feed(scene: Scene) -> Ask:
    """Whoever has the address may read it: that is what it is for."""
    made = await scene.ask("owner", "POST", "/v1/me/calendar")
    return Ask(urlsplit(made.json()["url"]).path)


async def _me(_: Scene) -> Ask:
    return Ask("/v1/me")


async def _edit_me(_: Scene) -> Ask:
    return Ask("/v1/me", {"name": "Another Name"})


async def _find_owner(scene: Scene) -> Ask:
    return Ask(f"/v1/users?email={scene.name('owner')}@example.com")


async def _staff(_: Scene) -> Ask:
    return Ask(f"/v1/venues/{VENUE_ID}/staff")


async def _one_of_the_staff(scene: Scene) -> Ask:
    return Ask(f"/v1/venues/{VENUE_ID}/staff/{await scene.sign_in('owner')}")


def _far_off(**more: Any) -> dict[str, Any]:
    """An hour beyond every booking of other tests."""
    since = tomorrow(60)
    return {"reason": "maintenance"} | more | {name: (since + hours).isoformat() for name, hours in HOUR.items()}


HOUR = {"starts_at": timedelta(hours=1), "ends_at": timedelta(hours=2)}


async def _block(_: Scene) -> Ask:
    return Ask(f"/v1/venues/{VENUE_ID}/blocked-slots", _far_off(court_ids=[str(court_id(8))]))


async def _blocks(_: Scene) -> Ask:
    return Ask(f"/v1/venues/{VENUE_ID}/blocked-slots")


async def _unblock(scene: Scene) -> Ask:
    ask = await _block(scene)
    made = await scene.ask("admin", "POST", ask.path, json=ask.body)
    assert made.status_code == 201, made.text
    return Ask(f"/v1/blocked-slots/{made.json()['blocked_slots'][0]['id']}")


async def _close(_: Scene) -> Ask:
    hour = _far_off()
    body = {"from": hour["starts_at"], "until": hour["ends_at"], "reason": "rain"}
    return Ask(f"/v1/venues/{VENUE_ID}/closures", body)


async def _closure(scene: Scene) -> Ask:
    ask = await _close(scene)
    made = await scene.ask("admin", "POST", ask.path, json=ask.body)
    assert made.status_code == 202, made.text
    return Ask(made.headers["location"])


BECAUSE = {"reason": "asked by a test"}
DEAD_LETTERS = "/v1/ops/dead-letters"
A_DEAD_LETTER = """
INSERT INTO dead_letters (id, topic, partition, "offset", died_at, mirrored_at, value, headers, size_bytes, type, error_class,
                          error_message, attempts, state)
VALUES ($1, 'booking.dlt', 0, $2, now(), now(), '{}', '[]', 2, 'payment.succeeded.v1', $3, '', 1, 'open')
"""


async def _dead_letter(scene: Scene, error_class: str = "Fatal") -> str:
    """The path of an open one, of this scene alone when it has an error of its own."""
    letter_id = uuid4()
    await scene.club.database.execute(A_DEAD_LETTER, letter_id, letter_id.int >> 66, error_class)
    return f"{DEAD_LETTERS}/{letter_id}"


async def _dead_letters(_: Scene) -> Ask:
    return Ask(DEAD_LETTERS)


async def _dead_letter_groups(_: Scene) -> Ask:
    return Ask(f"{DEAD_LETTERS}/groups")


async def _one_dead_letter(scene: Scene) -> Ask:
    return Ask(await _dead_letter(scene))


async def _redrive(scene: Scene) -> Ask:
    return Ask(await _dead_letter(scene) + "/redrive", BECAUSE)


async def _edit(scene: Scene) -> Ask:
    event = PaymentSucceeded(
        booking_id=uuid4(), attempt_id=uuid4(), amount_minor=1, currency="EUR", paid_at=tomorrow(), order_id="o"
    )
    return Ask(await _dead_letter(scene) + "/edit", BECAUSE | {"value": event.model_dump(mode="json")})


async def _discard(scene: Scene) -> Ask:
    return Ask(await _dead_letter(scene) + "/discard", BECAUSE)


async def _reopen(scene: Scene) -> Ask:
    path = await _dead_letter(scene)
    await scene.club.database.execute(
        "UPDATE dead_letters SET state = 'redriven', decided_at = now() - interval '7 days' WHERE id = $1::uuid",
        path.rsplit("/", 1)[1],
    )
    return Ask(path + "/reopen", BECAUSE)


async def _redrive_group(scene: Scene) -> Ask:
    await scene.club.database.execute(
        "UPDATE dead_letter_redrives SET state = 'halted', running = NULL, ended_at = now() WHERE running"
    )
    await _dead_letter(scene, f"Group{scene.number}")
    return Ask(f"{DEAD_LETTERS}/redrives", BECAUSE | {"error_class": f"Group{scene.number}"})


async def _one_redrive(scene: Scene) -> Ask:
    ask = await _redrive_group(scene)
    started = await scene.ask("admin", "POST", ask.path, json=ask.body)
    assert started.status_code == 202, started.text
    return Ask(started.headers["location"])


async def _halt(scene: Scene) -> Ask:
    return Ask((await _one_redrive(scene)).path + "/halt", BECAUSE)


#                                        anonymous, owner, other, elsewhere, staff, admin
EVERYONE, SIGNED_IN = (200,) * 6, (401, 200, 200, 200, 200, 200)
OWNER_AND_CLUB = (401, 200, 404, 404, 200, 200)
STAFF_HERE = (401, 403, 403, 403, 201, 201)
ADMIN = (401, 403, 403, 403, 403, 204)
OPERATOR, OPERATOR_STARTS = (401, 403, 403, 403, 403, 200), (401, 403, 403, 403, 403, 202)

ROWS = (
    Row("GET /v1/availability", EVERYONE, _availability),
    Row("POST /v1/bookings", (401, 201, 201, 201, 201, 201), _hold),
    Row("POST /v1/bookings", STAFF_HERE, _hold_for_a_user, "for a user"),
    Row("POST /v1/bookings", STAFF_HERE, _hold_without_payment, "without payment"),
    Row("GET /v1/bookings/{booking_id}", OWNER_AND_CLUB, _read),
    Row("GET /v1/bookings/{booking_id}/checkout", (401, 303, 404, 404, 303, 303), _pay),
    Row("POST /v1/bookings/{booking_id}/cancel", OWNER_AND_CLUB, _cancel),
    Row("POST /v1/bookings/{booking_id}/reschedule", OWNER_AND_CLUB, _reschedule),
    Row("POST /v1/venues/{venue_id}/blocked-slots", STAFF_HERE, _block),
    Row("GET /v1/venues/{venue_id}/blocked-slots", (401, 403, 403, 403, 200, 200), _blocks),
    Row("DELETE /v1/blocked-slots/{blocked_slot_id}", (401, 403, 403, 403, 200, 200), _unblock),
    Row("POST /v1/venues/{venue_id}/closures", (401, 403, 403, 403, 202, 202), _close),
    Row("GET /v1/closures/{closure_id}", (401, 403, 403, 403, 200, 200), _closure),
    Row("GET /v1/bookings", SIGNED_IN, _bookings),
    Row("GET /v1/bookings/{booking_id}/calendar.ics", OWNER_AND_CLUB, _entry),
    Row("GET /v1/me/calendar", SIGNED_IN, _calendar),
    Row("POST /v1/me/calendar", (401, 201, 201, 201, 201, 201), _calendar),
    Row("GET /v1/calendars/{token}.ics", EVERYONE, _feed),
    Row("GET /v1/me", SIGNED_IN, _me),
    Row("PATCH /v1/me", SIGNED_IN, _edit_me),
    Row("DELETE /v1/me", (401, 204, 204, 204, 204, 204), _me),
    Row("GET /v1/users", (401, 403, 403, 200, 200, 200), _find_owner),
    Row("GET /v1/venues/{venue_id}/staff", (401, 403, 403, 403, 403, 200), _staff),
    Row("PUT /v1/venues/{venue_id}/staff/{user_id}", ADMIN, _one_of_the_staff),
    Row("DELETE /v1/venues/{venue_id}/staff/{user_id}", ADMIN, _one_of_the_staff),
    Row("GET /v1/ops/dead-letters", OPERATOR, _dead_letters),
    Row("GET /v1/ops/dead-letters/groups", OPERATOR, _dead_letter_groups),
    Row("GET /v1/ops/dead-letters/{dead_letter_id}", OPERATOR, _one_dead_letter),
    Row("POST /v1/ops/dead-letters/{dead_letter_id}/redrive", OPERATOR_STARTS, _redrive),
    Row("POST /v1/ops/dead-letters/{dead_letter_id}/edit", OPERATOR_STARTS, _edit),
    Row("POST /v1/ops/dead-letters/{dead_letter_id}/discard", OPERATOR, _discard),
    Row("POST /v1/ops/dead-letters/{dead_letter_id}/reopen", OPERATOR, _reopen),
    Row("POST /v1/ops/dead-letters/redrives", OPERATOR_STARTS, _redrive_group),
    Row("GET /v1/ops/dead-letters/redrives/{redrive_id}", OPERATOR, _one_redrive),
    Row("POST /v1/ops/dead-letters/redrives/{redrive_id}/halt", OPERATOR, _halt),
)


async def routes(club: Club) -> set[str]:
    document = (await club.ask("GET", "/openapi.json")).json()
    found = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in OPERATIONS
    }
    return found - WITHOUT_RIGHTS


async def test_every_route_has_a_row_and_every_row_a_route(club: Club) -> None:
    assert {row.route for row in ROWS} == await routes(club)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.route} {row.case}".strip())
async def test_rights(club: Club, row: Row, caller: str) -> None:
    scene = Scene(club)
    await scene.set_up()
    ask = await row.ask(scene)
    before = await club.written()
    answer = await scene.ask(caller, row.route.split()[0], ask.path, json=ask.body)
    assert answer.status_code == row.expected[CALLERS.index(caller)], answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in REFUSALS.get(answer.status_code, {answer.json()["code"]})
        assert await club.written() == before


@pytest.mark.parametrize("row", [row for row in ROWS if 404 in row.expected], ids=lambda row: row.route)
async def test_what_is_hidden_looks_like_what_is_not_there(club: Club, row: Row) -> None:
    scene = Scene(club)
    await scene.set_up()
    ask = await row.ask(scene)
    booking_id = ask.path.split("/")[3]
    method, missing = row.route.split()[0], str(uuid4())
    hidden = await scene.ask("other player", method, ask.path, json=ask.body)
    absent = await scene.ask("other player", method, ask.path.replace(booking_id, missing), json=ask.body)
    assert hidden.json() == absent.json() | {"booking_id": booking_id}
