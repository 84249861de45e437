"""`courtside token`: a bearer token signed with the local key, as the club's identity provider would give one."""

from __future__ import annotations

import json
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import NAMESPACE_URL, UUID, uuid5

import jwt
import typer

from deploy.local.environment import TOKEN_AUDIENCE, TOKEN_ISSUER, Paths
from deploy.local.errors import WrongEnvironment

LIFE_SECONDS = 15 * 60
"""As long as an identity provider's access token lives."""


class Role(StrEnum):
    PLAYER = "player"
    STAFF = "staff"
    ADMIN = "admin"


def user_id(email: str) -> UUID:
    """The same address is the same user, on every machine."""
    return uuid5(NAMESPACE_URL, f"mailto:{email.lower()}")


def mint(keys: Path, email: str, name: str, role: Role = Role.PLAYER, locale: str = "en") -> str:
    """`keys` is the folder of `signing-key.pem` and `jwks.json`. Raises `WrongEnvironment` when there is none yet."""
    try:
        signing_key = (keys / "signing-key.pem").read_bytes()
        key_id = json.loads((keys / "jwks.json").read_bytes())["keys"][0]["kid"]
    except FileNotFoundError as error:
        raise WrongEnvironment("there is no signing key yet: `make up` makes one") from error
    now = int(time.time())
    claims = {
        "iss": TOKEN_ISSUER,
        "aud": TOKEN_AUDIENCE,
        "nbf": now,
        "exp": now + LIFE_SECONDS,
        "sub": str(user_id(email)),
        "email": email,
        "name": name,
        "locale": locale,
        "role": role.value,
    }
    return jwt.encode(claims, signing_key, algorithm="EdDSA", headers={"kid": key_id})


def token(
    email: Annotated[str, typer.Option(help="Whose token; the same address is the same user.")],
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.PLAYER,
    name: Annotated[str, typer.Option(help="The user's name, as mails greet them.")] = "",
    locale: Annotated[str, typer.Option(help="The language of their mails, as a BCP 47 tag.")] = "en",
) -> None:
    """Mint a bearer token for the local stack, good for 15 minutes."""
    if "@" not in email:
        raise WrongEnvironment(f"{email!r} is no e-mail address")
    print(mint(Paths.read(os.environ).keys, email, name or email.split("@")[0], role, locale))
