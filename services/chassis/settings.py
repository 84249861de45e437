"""What every service is told by its environment. A service's own settings add to these, under the service's prefix."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.kafka import KafkaSettings


class Settings(KafkaSettings):
    """Read from variables such as `BOOKING_HTTP_PORT`. A wrong or missing one ends the process with one line each and exit code 2."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    service: ClassVar[str]
    """The service's name: also its consumer group, its database role and the stem of its retry topics."""

    environment: Literal["local", "test", "production"] = "local"
    database_url: SecretStr
    """`postgresql://role:password@host:port/database`"""
    database_pool_size: int = Field(default=10, ge=2, le=100)
    outbox_relay: bool = True
    """Off where Debezium carries the outbox (`deploy/debezium/`): then workers run no relay, measure no lag, and tidy up behind it."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8000"
    """Where clients reach this service, without a trailing slash."""
    drain_seconds: float = Field(default=15, gt=0)
    """How long a process that was told to stop may finish what runs."""
    stall_seconds: float = Field(default=60, gt=0)
    """A consumer that takes up nothing for so long, while there is work, ends its process."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    jwks_file: Path | None = None
    """The public keys that sign bearer tokens; `jwks_url` where an identity provider publishes them."""
    jwks_url: str | None = None
    token_issuer: str = "https://courtside.local/"  # noqa: S105 - an issuer is no secret
    token_audience: str = "courtside"  # noqa: S105

    user_writes_per_minute: int | None = Field(default=None, ge=0)
    user_reads_per_minute: int | None = Field(default=None, ge=0)
    address_requests_per_minute: int | None = Field(default=None, ge=0)
    """Rate limits; 0 is none. When not given: 30, 300 and 600, and none under test."""

    retry_delays: tuple[timedelta, ...] | None = None
    """Shorter waits for tests, one for each tier, as ISO 8601 durations or seconds; the ladder's own when not given."""

    def sqlalchemy_url(self) -> str:
        return self.database_url.get_secret_value().replace("postgresql://", "postgresql+asyncpg://", 1)
