"""Who a user is, what they may write about themselves, and how they are forgotten. Told facts are judged by the outbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deploy import tokens
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot


def bearer(club: Club, email: str, **claims: Any) -> dict[str, str]:
    keys = club.stack.installation.paths.keys
    return {"Authorization": f"Bearer {tokens.mint(keys, email, claims.pop('name', 'Ana'), **claims)}"}


async def me(club: Club, email: str, **claims: Any) -> httpx.Response:
    return await club.ask("GET", "/v1/me", headers=bearer(club, email, **claims))


async def profiles(club: Club, user_id: str) -> list[dict[str, Any] | None]:
    """All that was told of a user, in order; `None` is the tombstone."""
    rows = await club.database.fetch(
        "SELECT payload FROM outbox WHERE aggregatetype = 'user.profiles' AND aggregateid = $1 ORDER BY seq", user_id
    )
    return [json.loads(row["payload"]) if row["payload"] is not None else None for row in rows]


@pytest.fixture(scope="module")
async def other_process(club: Club) -> AsyncIterator[str]:
    """The URL of a second API on the same database."""
    yield await club.stack.start("booking", "api", name="club-again", BOOKING_DATABASE_URL=club.database_url)
    await club.stack.stop("club-again")


async def test_the_first_sight_of_a_token_makes_the_user_known_once(club: Club) -> None:
    answers = [await me(club, "newcomer@example.com", name="Ana Gómez", locale="es") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    known = answers[0].json()
    assert (known["email"], known["name"], known["locale"]) == ("newcomer@example.com", "Ana Gómez", "es")
    assert (known["role"], known["staff_at"]) == ("player", [])
    assert [told and told["version"] for told in await profiles(club, known["id"])] == [1]


async def test_a_token_that_changed_changes_the_user(club: Club) -> None:
    user_id = (await me(club, "renamed@example.com", name="Ana")).json()["id"]
    assert (await me(club, "renamed@example.com", name="Ana Ruiz")).json()["name"] == "Ana Ruiz"
    assert [told and (told["version"], told["name"]) for told in await profiles(club, user_id)] == [
        (1, "Ana"),
        (2, "Ana Ruiz"),
    ]


async def test_what_a_user_wrote_outlives_the_next_token_until_they_give_it_back(club: Club) -> None:
    email = "writer@example.com"
    user_id = (await me(club, email, name="A. Writer", locale="en")).json()["id"]
    edited = await club.ask("PATCH", "/v1/me", json={"name": " Anni "}, headers=bearer(club, email, name="A. Writer"))
    assert (edited.status_code, edited.json()["name"], edited.json()["locale"]) == (200, "Anni", "en")
    later = (await me(club, email, name="Anna Writer-Smith", locale="de")).json()
    assert (later["name"], later["locale"]) == ("Anni", "de")
    given_back = await club.ask(
        "PATCH", "/v1/me", json={"name": None}, headers=bearer(club, email, name="Anna Writer-Smith", locale="de")
    )
    assert given_back.json()["name"] == "Anna Writer-Smith"
    told = [told and (told["name"], told["locale"]) for told in await profiles(club, user_id)]
    assert told[-1] == ("Anna Writer-Smith", "de")
    assert [told and told["version"] for told in await profiles(club, user_id)] == list(range(1, len(told) + 1))


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 201},
        {"name": "two\r\nBcc: all@example.com"},
        {"name": "nul\x00"},
        {"locale": "klingon!"},
        {"locale": "en-" + "x" * 40},
        {"email": "mine@example.com"},
        {"role": "admin"},
        {"id": "019ab1d0-0c0a-7000-8000-000000000001"},
        [],
    ],
)
async def test_a_profile_that_makes_no_sense(club: Club, body: Any) -> None:
    await club.sign_in("exact")
    before = await club.written()
    answer = await club.ask("PATCH", "/v1/me", "exact", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-not-valid"), answer.text
    assert await club.written() == before


async def test_a_name_of_half_a_character_is_refused(club: Club) -> None:
    body, json_type = b'{"name": "\\ud800"}', {"content-type": "application/json"}
    assert (await club.ask("PATCH", "/v1/me", "exact", content=body, headers=json_type)).status_code == 422


async def test_nothing_to_change_changes_nothing(club: Club) -> None:
    user_id = await club.sign_in("content")
    assert (await club.ask("PATCH", "/v1/me", "content", json={})).status_code == 200
    assert len(await profiles(club, user_id)) == 1


async def test_an_address_belongs_to_one_user_however_it_is_written(club: Club) -> None:
    await me(club, "taken@example.com")
    await club.database.execute("UPDATE users SET email = 'Shared@Example.com' WHERE email = 'taken@example.com'")
    before = await club.written()
    answer = await me(club, "sHARED@example.com")
    assert (answer.status_code, answer.json()["code"]) == (409, "email-belongs-to-another-user")
    assert await club.written() == before


async def test_staff_finds_a_user_by_address_however_it_is_written(club: Club) -> None:
    user_id = await club.sign_in("lookup")
    await club.hire("receptionist")
    for email in ("lookup@example.com", "LookUp@Example.COM"):
        found = await club.ask("GET", "/v1/users", "receptionist", "staff", params={"email": email})
        assert [user["id"] for user in found.json()["users"]] == [user_id]
    nobody = await club.ask("GET", "/v1/users", "receptionist", "staff", params={"email": "no@example.com"})
    assert (nobody.status_code, nobody.json()) == (200, {"users": []})


async def test_staff_books_for_a_player_whose_seat_and_limit_count(club: Club) -> None:
    user_id = await club.sign_in("phoned-in")
    await club.hire("desk-clerk")
    for expected in (201, 201, 409):
        court, starts_at = a_free_slot()
        body = {"court_id": court, "starts_at": starts_at, "user_id": user_id}
        answer = await club.ask("POST", "/v1/bookings", "desk-clerk", "staff", json=body)
        assert answer.status_code == expected, answer.text
    assert answer.json()["code"] == "active-booking-limit"
    assert await club.count("bookings", f"user_id = '{user_id}' AND status = 'held'") == 2
    assert (await club.hold("desk-clerk", *a_free_slot())).status_code == 201, "their own seats are free"


async def test_a_key_of_staff_is_theirs_and_not_the_players(club: Club) -> None:
    user_id = await club.sign_in("keyed")
    await club.hire("key-clerk")
    court, starts_at = a_free_slot()
    body, key = {"court_id": court, "starts_at": starts_at, "user_id": user_id}, {"Idempotency-Key": "desk-1"}
    first, again = [
        await club.ask("POST", "/v1/bookings", "key-clerk", "staff", json=body, headers=key) for _ in range(2)
    ]
    assert (first.status_code, again.content) == (201, first.content)
    assert (await club.hold("keyed", *a_free_slot(), **key)).status_code == 201


async def test_nobody_books_for_a_user_who_is_not_there(club: Club) -> None:
    gone = await club.sign_in("leaver")
    assert (await club.ask("DELETE", "/v1/me", "leaver")).status_code == 204
    before = await club.written()
    for user_id in (gone, "019ab1d0-0c0a-7000-8000-00000000dead"):
        court, starts_at = a_free_slot()
        body = {"court_id": court, "starts_at": starts_at, "user_id": user_id}
        answer = await club.ask("POST", "/v1/bookings", "admin", "admin", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "user-not-found")
    assert await club.written() == before


async def test_rights_end_at_once_when_they_are_taken_away(club: Club) -> None:
    user_id = await club.hire("temporary")
    booking_id = (await club.hold("visible", *a_free_slot())).json()["id"]
    assert (await club.ask("GET", f"/v1/bookings/{booking_id}", "temporary", "staff")).status_code == 200
    assert (await club.ask("GET", f"/v1/bookings/{booking_id}", "temporary")).status_code == 404, (
        "the token says player"
    )
    path = f"/v1/venues/019ab1d0-0c0a-7000-8000-000000000001/staff/{user_id}"
    for _ in range(2):
        assert (await club.ask("DELETE", path, "admin", "admin")).status_code == 204
    assert (await club.ask("GET", f"/v1/bookings/{booking_id}", "temporary", "staff")).status_code == 404


async def test_where_somebody_works_is_told_with_their_profile(club: Club) -> None:
    """Others show them what is their venues', and stop when they leave. What changes nothing is not told."""
    user_id, venue_id = await club.hire("told-of"), "019ab1d0-0c0a-7000-8000-000000000001"
    path = f"/v1/venues/{venue_id}/staff/{user_id}"
    for method in ("PUT", "DELETE", "DELETE"):
        assert (await club.ask(method, path, "admin", "admin")).status_code == 204
    told = [told and (told["version"], told["staff_of"]) for told in await profiles(club, user_id)]
    assert told == [(1, []), (2, [venue_id]), (3, [])]


async def test_an_erased_user_leaves_bookings_that_say_no_name(club: Club) -> None:
    user_id = await club.sign_in("forgotten")
    booking_id = (await club.hold("forgotten", *a_free_slot())).json()["id"]
    cancel = f"/v1/bookings/{booking_id}/cancel"
    assert (await club.ask("POST", cancel, "forgotten", json={"reason": "my knee"})).status_code == 200
    assert (await club.ask("DELETE", "/v1/me", "forgotten")).status_code == 204
    row = await club.database.fetchrow("SELECT email, name, locale, erased_at FROM users WHERE id = $1", user_id)
    assert row is not None
    assert (row["email"], row["name"], row["locale"]) == (None, None, None)
    assert row["erased_at"] is not None
    kept = f"id = '{booking_id}' AND user_id = '{user_id}' AND cancel_reason IS NULL"
    assert await club.count("bookings", kept) == 1
    assert (await profiles(club, user_id))[-1] is None
    assert await club.count("outbox", "aggregatetype <> 'user.profiles' AND payload::text LIKE '%example.com%'") == 0


async def test_what_died_of_an_erased_user_is_emptied(club: Club) -> None:
    user_id = await club.sign_in("dead-lettered")
    await club.database.execute(
        """
        INSERT INTO dead_letters (id, topic, partition, "offset", died_at, mirrored_at, key, value, headers, size_bytes, error_class,
                                  error_message, attempts, state)
        VALUES ($1::uuid, 'booking.dlt', 9, 1, now(), now(), $2, '{"name": "Ana"', '[]', 2, 'Fatal', '', 1, 'open')
        """,
        user_id,
        str(user_id).encode(),
    )
    assert (await club.ask("DELETE", "/v1/me", "dead-lettered")).status_code == 204
    assert await club.count("dead_letters", f"id = '{user_id}' AND value IS NULL AND missing = 'erased'") == 1


async def test_active_bookings_come_before_being_forgotten(club: Club) -> None:
    user_id = await club.sign_in("busy")
    booking_ids = [(await club.hold("busy", *a_free_slot())).json()["id"] for _ in range(2)]
    before = await club.written()
    refused = await club.ask("DELETE", "/v1/me", "busy")
    assert (refused.status_code, refused.json()["code"]) == (409, "has-active-bookings")
    assert {booking["id"] for booking in refused.json()["bookings"]} == set(booking_ids)
    assert await club.written() == before
    for booking in refused.json()["bookings"]:
        assert (await club.ask("POST", booking["cancel"], "busy", json={})).status_code == 200
    assert (await club.ask("DELETE", "/v1/me", "busy")).status_code == 204
    assert (await profiles(club, user_id))[-1] is None


async def test_a_hold_that_is_over_is_nothing_to_cancel(club: Club) -> None:
    await club.sign_in("forgetful-leaver")
    booking_id = (await club.hold("forgetful-leaver", *a_free_slot())).json()["id"]
    over = "UPDATE bookings SET hold_expires_at = now() - interval '1 ms' WHERE id = $1"
    await club.database.execute(over, booking_id)
    assert (await club.ask("DELETE", "/v1/me", "forgetful-leaver")).status_code == 204
    assert await club.count("bookings", f"id = '{booking_id}' AND status = 'expired'") == 1


async def test_the_token_of_an_erased_user_opens_nothing_in_any_process(club: Club, other_process: str) -> None:
    user_id = await club.sign_in("ghost")
    token = {"Authorization": f"Bearer {club.token('ghost')}"}
    booking_id = (await club.hold("ghost", *a_free_slot())).json()["id"]
    await club.ask("POST", f"/v1/bookings/{booking_id}/cancel", "ghost", json={})
    # The other process has seen this very token, and would ask the database nothing.
    assert (await club.client.get(f"{other_process}/v1/me", headers=token)).status_code == 200
    assert (await club.ask("DELETE", "/v1/me", headers=token)).status_code == 204
    told = len(await profiles(club, user_id))
    before = await club.written()
    court, starts_at = a_free_slot()
    hold = {"court_id": court, "starts_at": starts_at}
    for url in (club.url, other_process):
        for method, path, body in (
            ("GET", "/v1/me", None),
            ("PATCH", "/v1/me", {"name": "Back again"}),
            ("DELETE", "/v1/me", None),
            ("POST", "/v1/bookings", hold),
            ("GET", f"/v1/bookings/{booking_id}", None),
            ("POST", f"/v1/bookings/{booking_id}/cancel", {}),
            ("GET", "/v1/users?email=ghost@example.com", None),
        ):
            answer = await club.client.request(method, url + path, json=body, headers=token)
            assert (answer.status_code, answer.json()["code"]) == (403, "user-erased"), (method, path, answer.text)
    changed = await club.ask("GET", "/v1/me", headers=bearer(club, "ghost@example.com", name="Someone Else"))
    assert (changed.status_code, changed.json()["code"]) == (403, "user-erased")
    assert await club.written() == before
    assert len(await profiles(club, user_id)) == told


async def test_a_hold_and_an_erasure_at_once_never_leave_a_booking_of_nobody(club: Club, other_process: str) -> None:
    outcomes = set()
    for number in range(12):
        player = f"undecided{number}"
        user_id = await club.sign_in(player)
        token = {"Authorization": f"Bearer {club.token(player)}"}
        court, starts_at = a_free_slot()
        held, erased = await asyncio.gather(
            club.hold(player, court, starts_at), club.client.delete(f"{other_process}/v1/me", headers=token)
        )
        outcomes.add((held.status_code, erased.status_code))
        active = await club.count("bookings", f"user_id = '{user_id}' AND status = 'held'")
        gone = await club.count("users", f"id = '{user_id}' AND erased_at IS NOT NULL")
        assert (active, gone) in ((1, 0), (0, 1))
    assert outcomes <= {(201, 409), (403, 204)}


async def test_the_database_waits_with_a_hold_until_an_erasure_is_decided(club: Club) -> None:
    """The race above, with the erasure stopped in its middle."""
    user_id = await club.sign_in("slowly-leaving")
    async with club.database.transaction():
        await club.database.execute("SELECT 1 FROM users WHERE id = $1 FOR UPDATE", user_id)
        hold = asyncio.create_task(club.hold("slowly-leaving", *a_free_slot()))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR KEY SHARE%'"
        )
        async with asyncio.timeout(60):
            while not await club.database.fetchval(waiting):
                assert not hold.done()
                await asyncio.sleep(0.01)
        await club.database.execute(
            "UPDATE users SET email = NULL, name = NULL, locale = NULL, erased_at = now() WHERE id = $1", user_id
        )
    answer = await hold
    assert (answer.status_code, answer.json()["code"]) == (403, "user-erased")
    assert await club.count("bookings", f"user_id = '{user_id}'") == 0
