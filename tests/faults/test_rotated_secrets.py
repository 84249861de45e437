"""Keys and passwords are replaced while players book: no valid call is refused on the way, and what was replaced opens nothing."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import asyncpg
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.environment import HOST, TOKEN_AUDIENCE, TOKEN_ISSUER
from deploy.local.keys import public_jwk
from deploy.local.postgres import Postgres
from deploy.tokens import user_id
from tests.faults.clubs import OwnClub, open_club
from tests.faults.players import Players
from tests.stack import TestStack

pytestmark = pytest.mark.slow

NAMES = "club-of-the-old-secrets", "club-of-the-new-secrets"


@dataclass
class IdentityProvider:
    """Publishes the keys that it has, and signs with one of them."""

    keys: list[Ed25519PrivateKey] = field(default_factory=lambda: [Ed25519PrivateKey.generate()])
    asked: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self.signs_with = self.keys[0]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[IdentityProvider]:
        server = await asyncio.start_server(self._answer, HOST, 0)
        self.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/jwks.json"
        try:
            yield self
        finally:
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = json.dumps({"keys": [public_jwk(key.public_key()) for key in self.keys]}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    def token(self, player: str, role: str, *, newest: bool = False) -> str:
        key = self.keys[-1] if newest else self.signs_with
        now, email = int(time.time()), f"{player}@example.com"
        claims = {
            "iss": TOKEN_ISSUER,
            "aud": TOKEN_AUDIENCE,
            "nbf": now,
            "exp": now + 900,
            "sub": str(user_id(email)),
            "email": email,
            "name": player,
            "role": role,
        }
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": public_jwk(key.public_key())["kid"]})


@dataclass(frozen=True)
class ForeignClub(OwnClub):
    """Its players sign in elsewhere."""

    provider: IdentityProvider = field(default_factory=IdentityProvider)

    def token(self, player: str, role: str = "player") -> str:
        return self.provider.token(player, role)


@pytest.fixture
async def club(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[ForeignClub]:
    del postgres  # it must run
    async with (
        IdentityProvider().open() as provider,
        open_club(idle_stack, NAMES[0], told={"BOOKING_JWKS_URL": provider.url}) as club,
    ):
        yield ForeignClub(club.url, club.database_url, club.database, club.stack, club.client, club.slots, provider)


async def until_known(club: ForeignClub, token: str) -> None:
    """The API has looked for the key of this token, as it does every few seconds for one that it does not know."""
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(60):
        while (await club.client.get(f"{club.url}/v1/me", headers=headers)).status_code == 401:  # noqa: ASYNC110 - another process looks
            await asyncio.sleep(0.2)


async def test_invented_keys_do_not_flood_the_identity_provider(club: ForeignClub) -> None:
    stranger, known = IdentityProvider(), club.provider.token("regular", "player")
    headers = {"Authorization": f"Bearer {stranger.token('stranger', 'admin')}"}
    before = club.provider.asked
    answers = await asyncio.gather(*(club.client.get(f"{club.url}/v1/me", headers=headers) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {401}
    assert club.provider.asked - before < 20
    headers = {"Authorization": f"Bearer {known}"}
    assert (await club.client.get(f"{club.url}/v1/me", headers=headers)).status_code == 200


async def test_a_new_signing_key_is_taken_soon_and_the_old_one_until_it_is_withdrawn(club: ForeignClub) -> None:
    players, provider = Players(club), club.provider
    async with players.booking():
        await players.have_held(5)
        with_the_old_key = club.token("early")
        provider.keys.append(Ed25519PrivateKey.generate())
        await players.have_held(5)
        await until_known(club, provider.token("scout", "player", newest=True))
        provider.signs_with = provider.keys[-1]
        await players.have_held(10)
        headers = {"Authorization": f"Bearer {with_the_old_key}"}
        assert (await club.client.get(f"{club.url}/v1/me", headers=headers)).status_code == 200
    assert set(players.answers) == {201}
    assert players.lost == 0
    del provider.keys[0]
    fresh = await club.stack.start(
        "booking", "api", name=NAMES[1], BOOKING_DATABASE_URL=club.database_url, BOOKING_JWKS_URL=provider.url
    )
    try:
        assert (await club.client.get(f"{fresh}/v1/me", headers=headers)).status_code == 401
        headers = {"Authorization": f"Bearer {club.token('early')}"}
        assert (await club.client.get(f"{fresh}/v1/me", headers=headers)).status_code == 200
    finally:
        await club.stack.stop(NAMES[1])


async def a_role(superuser: asyncpg.Connection[asyncpg.Record], url: str) -> str:
    """The database's URL for a user of its own that may do what `booking` may: there are two while one is replaced."""
    name, password = f"booking_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    await superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE booking")
    parts = urlsplit(url)
    return parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}").geturl()


async def test_a_database_password_is_replaced_under_load(club: ForeignClub) -> None:
    superuser = await club.stack.postgres.connect()
    told = {"BOOKING_JWKS_URL": club.provider.url}
    old, new = [await a_role(superuser, club.database_url) for _ in range(2)]
    try:
        await club.stack.stop(NAMES[0])
        url = await club.stack.start("booking", "api", name=NAMES[0], BOOKING_DATABASE_URL=old, **told)
        players = Players(replace(club, url=url))
        async with players.booking():
            await players.have_held(5)
            url = await club.stack.start("booking", "api", name=NAMES[1], BOOKING_DATABASE_URL=new, **told)
            players.club = replace(club, url=url)
            await players.have_held(5)  # whoever asked the old process has had its answer
            await club.stack.stop(NAMES[0])
            await superuser.execute(f"ALTER ROLE {urlsplit(old).username} NOLOGIN")
            await players.have_held(10)
        await players.must_have_what_they_were_told()
        assert set(players.answers) == {201}
        assert players.lost == 0
        with pytest.raises(asyncpg.PostgresError):
            await asyncpg.connect(old)
    finally:
        await superuser.close()
        await club.stack.stop(NAMES[1])
