"""What every service is told by its environment. A service's own settings add to these, under the service's prefix."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.environment import variable
from services.chassis.kafka import KafkaSettings

LOCAL_ISSUER = "https://courtside.local/"


class Settings(KafkaSettings):
    """Read from variables such as `BOOKING_HTTP_PORT`. A wrong or missing one ends the process with one line each and exit code 2."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    service: ClassVar[str]
    """The service's name: also its consumer group, its database role and the stem of its retry topics."""

    environment: Literal["local", "test", "production"] = "local"
    """`production` refuses to start with what is meant for a laptop; `test` has no rate limits."""
    database_url: SecretStr
    """`postgresql://role:password@host:port/database`"""
    database_pool_size: int = Field(default=10, ge=2, le=100)
    """Connections at most, of each of the two pools of a process."""
    outbox_relay: bool = True
    """Off where Debezium carries the outbox (`deploy/debezium/`): then workers run no relay, measure no lag, and tidy up behind it."""
    http_host: str = "127.0.0.1"
    """The address to listen on; `0.0.0.0` in a container."""
    http_port: int = Field(default=8000, ge=1, le=65535)
    """The port to listen on."""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)
    """Whose word on a client's address and on HTTPS is believed: addresses or networks of the gateway, `*` where nobody else reaches the
    port; a JSON list. Of a gateway that is not named here, all players are one address, with one rate limit.
    """
    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://")
    """Where clients reach this service, without a trailing slash."""
    drain_seconds: float = Field(default=15, gt=0)
    """How long a process that was told to stop may finish what runs."""
    stall_seconds: float = Field(default=60, gt=0)
    """A consumer that takes up nothing for so long, while there is work, ends its process."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged at least, as JSON lines on stdout."""
    cors_origins: tuple[str, ...] = ()
    """Pages of these origins (`https://club.example`) may call from a browser; a JSON list. With none, no browser lets any page do so."""

    jwks_file: Path | None = None
    """The public keys that sign bearer tokens, as a file that is read once."""
    jwks_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where an identity provider publishes those keys."""
    token_issuer: str = LOCAL_ISSUER
    """What a token's `iss` must be."""
    token_audience: str = "courtside"  # noqa: S105 - an audience is no secret
    """What a token's `aud` must name."""

    user_writes_per_minute: int | None = Field(default=None, ge=0)
    """Rate limit of one user, for what changes something; 0 is none. When not given 30, and none under test."""
    user_reads_per_minute: int | None = Field(default=None, ge=0)
    """Rate limit of one user's reading; 0 is none. When not given 300, and none under test."""
    address_requests_per_minute: int | None = Field(default=None, ge=0)
    """Rate limit of one address, whoever calls; 0 is none. When not given 600, and none under test."""

    retry_delays: tuple[timedelta, ...] | None = None
    """Shorter waits for tests, one for each tier, as ISO 8601 durations or seconds; the ladder's own when not given."""

    @field_validator("database_url")
    @classmethod
    def _leads_to_postgres(cls, url: SecretStr) -> SecretStr:
        """Without saying what was given: the password is in it."""
        try:
            parts = urlsplit(url.get_secret_value())
            leads = parts.scheme == "postgresql" and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            leads = False
        if not leads:
            raise ValueError("must be postgresql://role:password@host:port/database")
        return url

    def sqlalchemy_url(self) -> str:
        return self.database_url.get_secret_value().replace("postgresql://", "postgresql+asyncpg://", 1)

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        yield from super().unfit_for_production()
        database = urlsplit(self.database_url.get_secret_value())
        if database.username and database.username == database.password:
            yield "database_url", "must have a password that is not the role's own name"
        if not (self.jwks_file or self.jwks_url):
            yield "jwks_url", "or JWKS_FILE must lead to the keys of your identity provider"
        if self.jwks_url and not self.jwks_url.startswith("https://"):
            yield "jwks_url", "must be https:// in production"
        if self.token_issuer == LOCAL_ISSUER:
            yield "token_issuer", "must be your identity provider, which the local one is not"
        if "*" in self.cors_origins:
            yield "cors_origins", "must name the origins, not all of them"
        if self.retry_delays is not None:
            yield "retry_delays", "must not be set: shorter waits are for tests"

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        """All of what is wrong at once: an operator mends it in one go."""
        if self.environment == "production" and (unfit := self._unfit()):
            raise ValueError("; ".join(f"{variable(type(self), field)} {must}" for field, must in unfit))
        return self

    def _unfit(self) -> list[tuple[str, str]]:
        """What a field says of itself says more than that it still is an example."""
        unfit = list(self.unfit_for_production())
        named = {field for field, _ in unfit}
        return unfit + [
            (field, "must name a domain of your own") for field in self.still_examples() if field not in named
        ]
