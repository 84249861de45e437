"""A token that was checked is believed for a minute, and never longer than it lives."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import PyJWKSet
from pydantic import SecretStr

from services.booking.settings import BookingSettings
from services.chassis import auth
from services.chassis.auth import LEEWAY_SECONDS, REMEMBERED_SECONDS, TokenNotValid, TokenVerifier

ANA = UUID("00000000-0000-4000-8000-0000000000a4")
KEY = Ed25519PrivateKey.generate()
KEYS = PyJWKSet([jwt.algorithms.OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "club"}])
NONE = PyJWKSet([jwt.algorithms.OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True)])


def a_token(seconds: float = 900, **claims: Any) -> str:
    now = time.time()
    settings = BookingSettings(database_url=SecretStr("postgresql://x/y"))
    told = {"iss": settings.token_issuer, "aud": settings.token_audience, "nbf": now, "exp": now + seconds}
    told |= {"sub": str(ANA), "email": "ana@example.com", "name": "Ana"} | claims
    return jwt.encode(told, KEY, "EdDSA", headers={"kid": "club"})


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(BookingSettings(database_url=SecretStr("postgresql://x/y")), keys=KEYS)


async def test_a_token_is_checked_once_a_minute(verifier: TokenVerifier) -> None:
    with time_machine.travel(time.time(), tick=False) as clock:
        token = a_token()
        assert (await verifier.verify(token)).user_id == ANA
        verifier.keys = NONE
        clock.shift(REMEMBERED_SECONDS - 1)
        assert (await verifier.verify(token)).user_id == ANA
        clock.shift(1)
        with pytest.raises(TokenNotValid):
            await verifier.verify(token)


async def test_a_token_that_was_valid_is_refused_when_it_ends(verifier: TokenVerifier) -> None:
    with time_machine.travel(time.time(), tick=False) as clock:
        token = a_token(seconds=10)
        await verifier.verify(token)
        clock.shift(10 + LEEWAY_SECONDS)
        with pytest.raises(TokenNotValid):
            await verifier.verify(token)


async def test_a_token_that_is_not_valid_is_never_remembered(verifier: TokenVerifier) -> None:
    stranger = a_token(aud="another club")
    for _ in range(2):
        with pytest.raises(TokenNotValid):
            await verifier.verify(stranger)


async def test_only_so_many_are_remembered_and_the_oldest_is_forgotten(
    verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED", 2)
    first, *others = [a_token(name=name) for name in ("Ana", "Bruno", "Carla")]
    for token in (first, *others):
        await verifier.verify(token)
    verifier.keys = NONE
    for token in others:
        await verifier.verify(token)
    with pytest.raises(TokenNotValid):
        await verifier.verify(first)
