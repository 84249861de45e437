"""What notifications is told by its environment: `NOTIFICATIONS_SENDER` and so on."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings


class NotificationsSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")

    service: ClassVar[str] = "notifications"

    http_port: int = Field(default=8003, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8003"

    resend_base_url: str = Field(default="https://api.resend.com", pattern=r"^https?://")
    """Another one leads to a stand-in."""
    resend_api_key: SecretStr
    resend_per_second: float = Field(default=5, gt=0)
    """The account's limit on requests, which all workers share. 5 is what Resend grants a team."""
    sender: str = Field(default="Courtside <bookings@courtside.example>", pattern=r"^[^\r\n]*@[^\r\n]+$")
    """The From of every mail; its domain must be verified at Resend."""

    @model_validator(mode="after")
    def _encrypted_in_production(self) -> Self:
        if self.environment == "production" and not self.resend_base_url.startswith("https://"):
            raise ValueError("resend_base_url must be https:// in production: mails and the key go over it")
        return self
