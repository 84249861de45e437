"""What is refused: a problem document each time, and nothing written."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.environment import TOKEN_AUDIENCE, TOKEN_ISSUER
from services.booking.venues.seed import court_id
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot, tomorrow

COURT = str(court_id(1))
STARTS_AT = tomorrow(25).isoformat()
HOLD: dict[str, Any] = {"court_id": COURT, "starts_at": STARTS_AT}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"court_id": ', 422, "request-not-valid"),
        (b"\xff\xfe", 422, "request-not-valid"),
        (b"[]", 422, "request-not-valid"),
        (b"", 422, "request-not-valid"),
        ({**HOLD, "court_id": "central"}, 422, "request-not-valid"),
        ({**HOLD, "starts_at": "2026-11-28T18:30:00"}, 422, "request-not-valid"),
        ({**HOLD, "starts_at": 10**30}, 422, "request-not-valid"),
        ({**HOLD, "starts_at": "9999-12-31T23:59:59Z"}, 422, "slot-beyond-horizon"),
        ({**HOLD, "starts_at": "0001-01-01T00:00:00Z"}, 422, "slot-in-the-past"),
        ({**HOLD, "price": 1}, 422, "request-not-valid"),
        ({**HOLD, "user_id": str(uuid4())}, 403, "staff-only"),
        ({**HOLD, "user_id": "ana"}, 422, "request-not-valid"),
        ({**HOLD, "court_id": str(uuid4())}, 404, "court-not-found"),
        ({**HOLD, "starts_at": STARTS_AT.replace("08:00:00", "08:30:00")}, 422, "slot-not-on-grid"),
        ({**HOLD, "starts_at": STARTS_AT.replace("08:00:00", "03:00:00")}, 422, "slot-not-on-grid"),
        ({**HOLD, "starts_at": tomorrow(-1).isoformat()}, 422, "slot-in-the-past"),
        ({**HOLD, "starts_at": tomorrow(31).isoformat()}, 422, "slot-beyond-horizon"),
        (b'{"court_id": "' + b"x" * 70_000 + b'"}', 413, "body-too-large"),
    ],
)
async def test_a_hold_that_makes_no_sense(club: Club, body: Any, status: int, code: str) -> None:
    before = await club.written()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await club.ask(
        "POST", "/v1/bookings", "careless", content=content, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= answer.json().keys()
    assert await club.written() == before


async def test_a_chunked_body_that_never_ends_is_cut_off(club: Club) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 1024

    answer = await club.ask(
        "POST", "/v1/bookings", "endless", content=endless(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_the_reason_points_at_the_place(club: Club) -> None:
    answer = await club.ask("POST", "/v1/bookings", "careless", json={"starts_at": "soon"})
    assert {error["pointer"] for error in answer.json()["errors"]} == {"#/court_id", "#/starts_at"}
    answer = await club.ask("GET", "/v1/availability", params={"venue_id": "here", "date": "today"})
    assert {error["parameter"] for error in answer.json()["errors"]} == {"venue_id", "date"}


async def test_somebody_elses_booking_is_not_there(club: Club) -> None:
    booking_id = (await club.hold("owner", *a_free_slot())).json()["id"]
    before = await club.written()
    for path in (f"/v1/bookings/{booking_id}", f"/v1/bookings/{booking_id}/checkout"):
        foreign = await club.ask("GET", path, "curious")
        unknown = await club.ask("GET", path.replace(booking_id, str(uuid4())), "curious")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json()["code"] == unknown.json()["code"] == "booking-not-found"
    assert await club.written() == before


async def test_an_unknown_venue_and_an_unknown_path_are_problems_too(club: Club) -> None:
    query = {"venue_id": str(uuid4()), "date": "2026-11-28"}
    assert (await club.ask("GET", "/v1/availability", params=query)).json()["code"] == "venue-not-found"
    lost = await club.ask("GET", "/v1/nowhere")
    assert (lost.status_code, lost.headers["content-type"]) == (404, "application/problem+json")
    wrong = await club.ask("DELETE", "/v1/bookings")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    told = {
        "iss": TOKEN_ISSUER,
        "aud": TOKEN_AUDIENCE,
        "nbf": now,
        "exp": now + 60,
        "sub": str(uuid4()),
        "email": "mallory@example.com",
        "name": "Mallory",
        "role": "player",
    }
    return {name: value for name, value in (told | changes).items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 120},
        {"nbf": int(time.time()) + 3600},
        {"iss": "https://elsewhere.example/"},
        {"aud": "another-api"},
        {"exp": None},
        {"sub": None},
        {"sub": "not-a-uuid"},
        {"email": None},
        {"email": "two@example.com\r\nBcc: all@example.com"},
        {"role": "emperor"},
        {"name": "x" * 500},
    ],
)
async def test_a_token_with_a_wrong_claim_opens_nothing(club: Club, changes: dict[str, Any]) -> None:
    keys = club.stack.installation.paths.keys
    key_id = json.loads((keys / "jwks.json").read_bytes())["keys"][0]["kid"]
    signing_key = (keys / "signing-key.pem").read_bytes()
    token = jwt.encode(claims(**changes), signing_key, algorithm="EdDSA", headers={"kid": key_id})
    await _refused(club, token)


async def test_a_token_that_another_key_signed_opens_nothing(club: Club) -> None:
    jwks = json.loads((club.stack.installation.paths.keys / "jwks.json").read_bytes())["keys"][0]
    other = Ed25519PrivateKey.generate()
    await _refused(club, jwt.encode(claims(), other, algorithm="EdDSA", headers={"kid": jwks["kid"]}))
    await _refused(club, jwt.encode(claims(), other, algorithm="EdDSA", headers={"kid": "unknown"}))
    await _refused(club, jwt.encode(claims(), other, algorithm="EdDSA"))
    # The public key is public: as the secret of a symmetric signature it must prove nothing.
    await _refused(club, jwt.encode(claims(), jwks["x"] * 2, algorithm="HS256", headers={"kid": jwks["kid"]}))
    await _refused(club, jwt.encode(claims(), "", algorithm="none", headers={"kid": jwks["kid"]}))
    await _refused(club, "not.a.token")
    await _refused(club, "x" * 8000)


async def test_without_a_token_there_is_nothing_to_see(club: Club) -> None:
    before = await club.written()
    for method, path in (
        ("POST", "/v1/bookings"),
        ("GET", f"/v1/bookings/{uuid4()}"),
        ("GET", f"/v1/bookings/{uuid4()}/checkout"),
    ):
        answer = await club.ask(method, path, json=HOLD if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (401, "token-missing")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert await club.written() == before


async def _refused(club: Club, token: str) -> None:
    before = await club.written()
    answer = await club.ask("POST", "/v1/bookings", json=HOLD, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token-not-valid"), answer.text
    assert "error=" in answer.headers["www-authenticate"]
    assert await club.written() == before
