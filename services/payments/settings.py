"""What the payment service is told by its environment, beside what every service is told."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings


class PaymentsSettings(Settings):
    """Variables such as `PAYMENTS_POLAR_PRODUCT_ID`."""

    model_config = SettingsConfigDict(env_prefix="PAYMENTS_")

    service: ClassVar[str] = "payments"
    http_port: int = Field(default=8002, ge=1, le=65535)

    polar_base_url: str = Field(pattern=r"^https?://")
    """Without `/v1`, which the SDK adds: `https://api.polar.sh`."""
    polar_access_token: SecretStr
    polar_product_id: UUID
    """The one product that is sold, each time at the price of the booking."""
    polar_webhook_secrets: tuple[SecretStr, ...] = ()
    """A JSON list, more than one while a secret is being replaced. With none, every webhook is refused."""
    polar_timeout_seconds: float = Field(default=10, gt=0, le=10)
    """Polar's slowest answers take a few. Two calls with their connections must fit into the drain of a batch."""
    unsettled_seconds: float = Field(default=60, gt=0)
    """How long a refund whose call broke off is left alone: Polar asks the card's network before it lists the refund."""
    reconcile_every_seconds: float = Field(default=300, gt=0)
    success_url: str = Field(default="http://127.0.0.1:8001/v1/bookings/{BOOKING_ID}", pattern=r"\{BOOKING_ID\}")
    """Where a player comes back to after paying. Polar itself fills in `{CHECKOUT_ID}`."""

    @model_validator(mode="after")
    def _safe_for_real_money(self) -> Self:
        if self.environment != "production":
            return self
        if not self.polar_base_url.startswith("https://"):
            raise ValueError("polar_base_url must be https:// in production")
        secrets = [secret.get_secret_value() for secret in self.polar_webhook_secrets]
        if not secrets or not all(secrets):
            raise ValueError("polar_webhook_secrets must hold at least one secret, and no empty one, in production")
        return self
