"""What booking is told by its environment, beside what every service is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings

LOCAL_CALENDAR_KEY = "a laptop's key, which everybody knows"
PUBLISHED = frozenset({LOCAL_CALENDAR_KEY, "the-key-of-a-cluster-on-a-laptop-only"})
"""What is printed in this repository: everybody knows them. A test looks for others."""


class BookingSettings(Settings):
    """Variables such as `BOOKING_CALENDAR_KEY`."""

    model_config = SettingsConfigDict(env_prefix="BOOKING_", extra="ignore", env_ignore_empty=True)

    service: ClassVar[str] = "booking"
    http_port: int = Field(default=8001, ge=1, le=65535)
    public_url: str = Field(default="http://127.0.0.1:8001", pattern=r"^https?://")

    calendar_key: SecretStr = Field(default=SecretStr(LOCAL_CALENDAR_KEY), min_length=32)
    """What the secret addresses of calendar feeds are derived with. Another key leaves the feeds that exist
    as they are; only a request that is repeated across the change gets an address that opens nothing."""

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        yield from super().unfit_for_production()
        if not self.public_url.startswith("https://"):
            yield "public_url", "must be https:// in production"
        if self.calendar_key.get_secret_value() in PUBLISHED:
            yield "calendar_key", "must be a secret of your own in production: `openssl rand -hex 32` makes one"
