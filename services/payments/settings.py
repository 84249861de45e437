"""What the payment service is told by its environment, beside what every service is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar
from uuid import UUID

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Settings

PUBLISHED = frozenset(
    {
        "polar_oat_local",
        "whsec_bG9jYWwtd2ViaG9vay1zZWNyZXQtbG9jYWw=",
        "whsec_Y291cnRzaWRlLWxvY2FsLXdlYmhvb2stc2VjcmV0",
        "5b0c1f52-6a51-4c0e-9d3c-3f8f0f6f1c11",
        "7f1d3c5e-0b1a-4c53-9a55-c0a275bdc001",
        "00000000-0000-4000-8000-000000000000",
        "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==",
    }
)
"""What is printed in this repository for the stand-in, and what stands for a club's own: everybody knows them. A test looks for others."""
LOCAL_SUCCESS_URL = "http://127.0.0.1:8001/v1/bookings/{BOOKING_ID}"


class PaymentsSettings(Settings):
    """Variables such as `PAYMENTS_POLAR_PRODUCT_ID`."""

    model_config = SettingsConfigDict(env_prefix="PAYMENTS_")

    service: ClassVar[str] = "payments"
    http_port: int = Field(default=8002, ge=1, le=65535)
    public_url: str = Field(default="http://127.0.0.1:8002", pattern=r"^https?://")

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
        if self.polar_access_token.get_secret_value() in PUBLISHED:
            yield "polar_access_token", "must be a token of your own organization"
        if str(self.polar_product_id) in PUBLISHED:
            yield "polar_product_id", "must be the product of your own organization"
        secrets = [secret.get_secret_value() for secret in self.polar_webhook_secrets]
        if not secrets or not all(secrets):
            yield "polar_webhook_secrets", "must hold at least one secret, and no empty one, in production"
        if PUBLISHED.intersection(secrets):
            yield "polar_webhook_secrets", "must hold secrets of your own: with one that is published, anybody can sign"
        if not self.success_url.startswith("https://"):
            yield "success_url", "must be https:// in production"
