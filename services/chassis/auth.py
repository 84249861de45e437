"""Who is calling: a bearer token of the club's identity provider, verified here, never issued here."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from jwt import PyJWK, PyJWKClient, PyJWKSet
from pydantic import BaseModel, Field, ValidationError

from services.chassis import problems
from services.chassis.settings import Settings

log = structlog.get_logger()

REMEMBERED, REMEMBERED_SECONDS = 5_000, 60.0
"""Tokens that were valid are taken at their word for so long, but never after their end: a signature costs as much as all the rest of a
small request. A key that the identity provider takes back is believed for five minutes in any case, as long as its key set is kept."""
ALGORITHMS = ["EdDSA", "RS256"]
LEEWAY_SECONDS = 30
Role = Literal["player", "staff", "admin"]


class TokenMissing(problems.Unauthorized):
    """No bearer token came with the request."""


class TokenNotValid(problems.Unauthorized):
    """The token is expired, signed by another, for another audience, or lacks a claim."""


class KeysAway(problems.Unavailable):
    """Nobody's token can be checked now; it may well be valid."""


class AdminOnly(problems.Forbidden):
    """Only admins may do that."""


class Principal(BaseModel):
    """Who a valid token speaks for. `sub` is the user's id for ever; the rest may change from token to token."""

    user_id: UUID = Field(alias="sub")
    email: str = Field(max_length=254, pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$")
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    locale: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    role: Role = "player"


@dataclass
class TokenVerifier:
    """Keys come from a file (read once) or an identity provider's URL (cached five minutes by PyJWT)."""

    settings: Settings
    keys: PyJWKSet | None = None
    client: PyJWKClient | None = None
    _valid: dict[str, tuple[Principal, float]] = field(default_factory=dict)
    """The last tokens that were found valid, and until when they need not be checked again."""

    def __post_init__(self) -> None:
        if self.settings.jwks_url:
            self.client = PyJWKClient(self.settings.jwks_url, timeout=5)
        elif self.settings.jwks_file:
            self.keys = PyJWKSet.from_json(self.settings.jwks_file.read_text())
        else:
            log.warning("no keys to check tokens with: set jwks_file or jwks_url")

    async def verify(self, token: str) -> Principal:
        principal, until = self._valid.get(token, (None, 0.0))
        return principal if principal and time.time() < until else await self._check(token)

    async def _check(self, token: str) -> Principal:
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = self._claims(token, key)
            return self._remember(token, Principal.model_validate(claims), claims["exp"] + LEEWAY_SECONDS)
        except jwt.PyJWKClientConnectionError as error:
            raise KeysAway("The identity provider's keys cannot be read at the moment. Try again.") from error
        except (jwt.PyJWTError, ValidationError, KeyError) as error:
            raise TokenNotValid(
                "The bearer token is not valid here: expired, not yet valid, signed by an unknown key, or lacking a claim.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from error

    def _remember(self, token: str, principal: Principal, ends_at: float) -> Principal:
        self._valid.pop(token, None)
        self._valid[token] = principal, min(time.time() + REMEMBERED_SECONDS, ends_at)
        if len(self._valid) > REMEMBERED:
            del self._valid[next(iter(self._valid))]
        return principal

    async def _key(self, key_id: str | None) -> PyJWK:
        if self.client:
            return await asyncio.to_thread(self.client.get_signing_key, key_id or "")
        return (self.keys or PyJWKSet([]))[key_id or ""]

    def _claims(self, token: str, key: PyJWK) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name] if key.algorithm_name in ALGORITHMS else [],
            audience=self.settings.token_audience,
            issuer=self.settings.token_issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "nbf", "iss", "aud", "sub"]},
        )
        return claims


bearer = HTTPBearer(
    auto_error=False, description="A JWT of the identity provider; locally `courtside token` mints one."
)


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Principal:
    if credentials is None:
        raise TokenMissing(
            "This operation needs a bearer token: send `Authorization: Bearer …`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(credentials.credentials)


async def perhaps_authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Principal | None:
    """For what is open to everyone: nobody, or who the token says. A token that is not valid is refused, not overlooked."""
    return await authenticated(request, credentials) if credentials else None


Caller = Annotated[Principal, Depends(authenticated)]
PerhapsCaller = Annotated[Principal | None, Depends(perhaps_authenticated)]


async def admin(caller: Caller) -> None:
    """For routes of those who run the service. The role is the token's: the identity provider can take it away."""
    if caller.role != "admin":
        raise AdminOnly("Only an admin may do this.")
