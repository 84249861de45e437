"""What notifications is told by its environment: `NOTIFICATIONS_SENDER` and so on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings

LOCAL_SENDER = "Courtside <bookings@courtside.example>"


class NotificationsSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")

    service: ClassVar[str] = "notifications"

    http_port: int = Field(default=8003, ge=1, le=65535)
    public_url: str = "http://127.0.0.1:8003"

    resend_base_url: str = Field(default="https://api.resend.com", pattern=r"^https?://")
    """Another one leads to a stand-in."""
    resend_api_key: SecretStr
    """Of your account at Resend, with the right to send."""
    resend_per_second: float = Field(default=5, gt=0)
    """The account's limit on requests, which all workers share. 5 is what Resend grants a team."""
    sender: str = Field(default=LOCAL_SENDER, pattern=r"^[^\r\n]*@[^\r\n]+$")
    """The From of every mail; its domain must be verified at Resend."""

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        yield from super().unfit_for_production()
        if not self.resend_base_url.startswith("https://"):
            yield "resend_base_url", "must be https:// in production: mails and the key go over it"
        if self.sender == LOCAL_SENDER:
            yield "sender", "must be an address of a domain that Resend has verified for you"
