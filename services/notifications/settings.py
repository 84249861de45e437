"""What notifications is told by its environment: `NOTIFICATIONS_SENDER` and so on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings

LOCAL_STAFF = "front-desk@courtside.example"
PUBLISHED = frozenset(
    {
        "re_local",
        "whsec_bG9jYWwtcmVzZW5kLXNlY3JldC1sb2NhbC1sb2M=",
        "whsec_Y291cnRzaWRlLWxvY2FsLXJlc2VuZC1zZWNyZXQ=",
        "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==",
    }
)
"""What is printed in this repository for the stand-in: everybody knows them. A test looks for others."""
LOCAL_SENDER = "Courtside <bookings@courtside.example>"


class NotificationsSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")

    service: ClassVar[str] = "notifications"

    http_port: int = Field(default=8003, ge=1, le=65535)
    public_url: str = Field(default="http://127.0.0.1:8003", pattern=r"^https?://")

    resend_base_url: str = Field(default="https://api.resend.com", pattern=r"^https?://")
    """Another one leads to a stand-in."""
    resend_api_key: SecretStr
    """Of your account at Resend, with the right to send."""
    resend_per_second: float = Field(default=5, gt=0)
    """The account's limit on requests, which all workers share. 5 is what Resend grants a team."""
    sender: str = Field(default=LOCAL_SENDER, pattern=r"^[^\r\n]*@[^\r\n]+$")
    """The From of every mail; its domain must be verified at Resend."""

    resend_call_seconds: float = Field(default=10, gt=0)
    """How long one call to Resend may take, from the first byte to the last."""
    resend_webhook_secrets: tuple[SecretStr, ...] = ()
    """A JSON list of `whsec_…`, more than one while a secret is being replaced. With none, every webhook is refused."""
    booking_page: str | None = Field(default=None, pattern=r"^https?://[^\s\"<>]*\{BOOKING_ID\}[^\s\"<>]*$")
    """Where a player sees a booking, and pays for it: a page of the club's own. Without it, mails have no button."""
    staff_address: str = Field(default=LOCAL_STAFF, pattern=r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$")
    """Who is told of refunds that fail."""
    staff_name: str = "front desk"
    """How these mails greet them."""
    staff_locale: str = "en"
    """In which language, a BCP 47 tag."""

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        yield from super().unfit_for_production()
        if not self.resend_base_url.startswith("https://"):
            yield "resend_base_url", "must be https:// in production: mails and the key go over it"
        if self.resend_api_key.get_secret_value() in PUBLISHED:
            yield "resend_api_key", "must be a key of your own account"
        if PUBLISHED.intersection(secret.get_secret_value() for secret in self.resend_webhook_secrets):
            yield (
                "resend_webhook_secrets",
                "must hold secrets of your own: with one that is published, anybody can sign",
            )
        if self.sender == LOCAL_SENDER:
            yield "sender", "must be an address of a domain that Resend has verified for you"
        if not (self.booking_page or "").startswith("https://"):
            yield "booking_page", "must be https:// in production: mails ask players to pay, and it is the way there"
        if not self.resend_webhook_secrets or not all(map(_is_secret, self.resend_webhook_secrets)):
            yield "resend_webhook_secrets", "must hold at least one secret, and no empty one, in production"
        if self.staff_address == LOCAL_STAFF:
            yield "staff_address", "must be an address that somebody of yours reads"


def _is_secret(secret: SecretStr) -> bool:
    return secret.get_secret_value().removeprefix("whsec_") != ""
