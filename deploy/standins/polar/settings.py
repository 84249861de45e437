from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from deploy.standins.process import StandinSettings
from deploy.standins.webhooks.settings import WebhookSecret

# What happens to checkouts, orders and refunds; the events of customers exist too, for whoever names them.
PURCHASE_EVENTS = (
    "checkout.created checkout.updated checkout.expired "
    "order.created order.updated order.paid order.refunded refund.created refund.updated"
)


class Settings(StandinSettings):
    """Environment variables `POLAR_STANDIN_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="POLAR_STANDIN_")

    port: int = 8011
    state: str = ".courtside/standins/polar.sqlite"

    access_token: Annotated[str, StringConstraints(pattern="^polar_oat_.+")] = "polar_oat_local"  # noqa: S105 - known to everyone
    """What payments must send as its token."""
    organization: str = "Courtside Padel Club"
    """Who sells, on the checkout page."""
    product_id: UUID = UUID("7f1d3c5e-0b1a-4c53-9a55-c0a275bdc001")
    """The one product that there is."""
    product_name: str = "Court booking"
    """What it is called on the checkout page."""

    webhook_url: str = ""
    """Where webhooks go; when empty there are none."""
    webhook_secret: WebhookSecret = "whsec_Y291cnRzaWRlLWxvY2FsLXdlYmhvb2stc2VjcmV0"  # noqa: S105 - known to everyone
    """What they are signed with."""
    webhook_signing: Literal["standard", "legacy"] = "standard"
    """`legacy` is that of endpoints made before 2026-09-08."""
    webhook_events: str = PURCHASE_EVENTS
    """Of which there are webhooks, by spaces."""
    webhook_time_scale: Annotated[float, Field(ge=0)] = 1.0
    """Times each wait between two attempts."""
    webhook_in_order: bool = True
    """Polar's first attempts; without it they go side by side."""
    webhook_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """How long a receiver may take to answer."""

    charge_s: Annotated[float, Field(ge=0)] = 0.0
    """How long the bank thinks after Pay."""
    slow_charge_s: Annotated[float, Field(ge=0)] = 30.0
    """And after "Pay slowly"."""
    refund_s: Annotated[float, Field(ge=0)] = 0.0
    """Above zero, a refund is pending that long."""
    reject_test_domains: bool = False
    """Polar asks the DNS for a mail server and so refuses example.com and the like."""
