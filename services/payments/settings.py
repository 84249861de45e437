"""What the payment service is told by its environment, beside what every service is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar
from uuid import UUID

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.published import is_published
from services.chassis.settings import Settings

LOCAL_SUCCESS_URL = "http://127.0.0.1:8001/v1/bookings/{BOOKING_ID}"


class PaymentsSettings(Settings):
    """Variables such as `PAYMENTS_POLAR_PRODUCT_ID`."""

    model_config = SettingsConfigDict(env_prefix="PAYMENTS_")

    service: ClassVar[str] = "payments"
    http_port: int = Field(default=8002, ge=1, le=65535)

    polar_base_url: str = Field(pattern=r"^https?://")
    """Without `/v1`, which the SDK adds: `https://api.polar.sh`."""
    polar_access_token: SecretStr
    """Of your organization at Polar."""
    polar_product_id: UUID
    """The one product that is sold, each time at the price of the booking."""
    polar_webhook_secrets: tuple[SecretStr, ...] = ()
    """A JSON list, more than one while a secret is being replaced. With none, every webhook is refused."""
    polar_timeout_seconds: float = Field(default=10, gt=0, le=10)
    """Polar's slowest answers take a few. Two calls with their connections must fit into the drain of a batch."""
    unsettled_seconds: float = Field(default=60, gt=0)
    """How long a refund whose call broke off is left alone, after the deadline of the call itself: Polar asks the card's network before it
    lists the refund.
    """
    reconcile_every_seconds: float = Field(default=300, gt=0)
    """How often the books are compared with Polar's; all of them once a day."""
    success_url: str = Field(default=LOCAL_SUCCESS_URL, pattern=r"\{BOOKING_ID\}")
    """Where a player comes back to after paying. Polar itself fills in `{CHECKOUT_ID}`."""

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        yield from super().unfit_for_production()
        if not self.polar_base_url.startswith("https://"):
            yield "polar_base_url", "must be https:// in production"
        if is_published(self.polar_access_token):
            yield "polar_access_token", "must be your organization's own: this one opens a stand-in"
        if is_published(str(self.polar_product_id)):
            yield "polar_product_id", "must be a product of yours at Polar"
        secrets = [secret.get_secret_value() for secret in self.polar_webhook_secrets]
        if not secrets or not all(secrets):
            yield "polar_webhook_secrets", "must hold at least one secret, and no empty one, in production"
        if any(map(is_published, secrets)):
            yield (
                "polar_webhook_secrets",
                "must hold your endpoint's secrets alone: what is published, anybody signs",
            )
        if not self.success_url.startswith("https://"):
            yield "success_url", "must be https:// in production"
