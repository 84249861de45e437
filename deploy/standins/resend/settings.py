from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from deploy.standins.process import StandinSettings
from deploy.standins.webhooks.settings import WebhookSecret

EMAIL_EVENTS = (
    "email.scheduled email.sent email.delivered email.delivery_delayed email.bounced email.complained email.opened "
    "email.clicked email.failed email.suppressed"
)


class Settings(StandinSettings):
    """Environment variables `RESEND_STANDIN_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="RESEND_STANDIN_")

    port: int = 8012
    state: str = ".courtside/standins/resend.sqlite"

    api_key: Annotated[str, StringConstraints(pattern="^re_.+")] = "re_local"
    """What notifications must send as its key."""
    rate_per_s: Annotated[int, Field(ge=0)] = 5
    """Of the team, as Resend's default; 0 is no limit."""
    daily_quota: Annotated[int, Field(ge=0)] = 0
    """Recipients in a day of UTC; 0 is no limit."""
    monthly_quota: Annotated[int, Field(ge=0)] = 0
    """Recipients in a month of UTC; 0 is no limit."""
    latency_s: Annotated[float, Field(ge=0)] = 0.0
    """How long a send is under way."""
    delivery_s: Annotated[float, Field(ge=0)] = 0.0
    """From one event of a mail's life to the next."""
    reject_test_domains: bool = False
    """Resend refuses example.com and test.com."""
    domains: str = ""
    """The verified ones, by spaces; empty: every domain may send."""

    webhook_url: str = ""
    """Empty: no endpoint, no deliveries."""
    webhook_secret: WebhookSecret = "whsec_Y291cnRzaWRlLWxvY2FsLXJlc2VuZC1zZWNyZXQ="  # noqa: S105 - known to everyone
    """What they are signed with."""
    webhook_events: str = EMAIL_EVENTS
    """Of which there are webhooks, by spaces."""
    webhook_time_scale: Annotated[float, Field(ge=0)] = 1.0
    """Times each wait between two attempts."""
    webhook_timeout_s: Annotated[float, Field(gt=0)] = 15.0
    """Svix waits so long."""

    @property
    def verified_domains(self) -> list[str]:
        return self.domains.casefold().split()
