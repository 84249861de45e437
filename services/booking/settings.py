from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings


class BookingSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="BOOKING_", extra="ignore", env_ignore_empty=True)

    service: ClassVar[str] = "booking"
    http_port: int = Field(default=8001, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8001"
