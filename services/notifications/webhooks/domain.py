"""Is a webhook Resend's, and what does it report? Decided on the raw bytes: parsing comes after the signature, and never refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import resend
from pydantic import Field, SecretStr, ValidationError

from courtside_contracts import topics
from courtside_contracts.envelope import Event
from services.chassis.problems import Forbidden
from services.notifications.emails.domain import State

WEBHOOK_MAX_BYTES = 1_000_000
"""What a record of our topic can carry, with room for its headers. To Resend a refusal counts as a failed delivery."""

REPORTS: Mapping[str, State] = {
    "email.sent": State.SENT,
    "email.delivery_delayed": State.DELAYED,
    "email.delivered": State.DELIVERED,
    "email.opened": State.OPENED,
    "email.clicked": State.CLICKED,
    "email.bounced": State.BOUNCED,
    "email.failed": State.FAILED,
    "email.suppressed": State.SUPPRESSED,
    "email.complained": State.COMPLAINED,
}
"""Of the types that there are, those that say what became of a mail of ours."""

SVIX = ("id", "timestamp", "signature")


class SignatureNotValid(Forbidden):
    """The webhook is not signed with a secret of ours, or was signed too long ago."""


class ResendWebhook(Event):
    """What Resend sent, the very bytes. Its own `type` and `data` are read as leniently as can be: Resend adds to them."""

    type: ClassVar[str] = "resend.webhook.v1"
    topic: ClassVar[str] = topics.RESEND_WEBHOOKS.name
    source: ClassVar[str] = "/courtside/notifications"

    kind: str = Field(alias="type")
    created_at: datetime | None = None
    data: dict[str, Any]

    @property
    def provider_id(self) -> str | None:
        found = self.data.get("email_id")
        return found if isinstance(found, str) else None

    @property
    def key(self) -> str:
        """Webhooks of one mail stay in the order in which they came. Empty for one that names none: it has nobody to wait for."""
        return self.provider_id or ""

    @property
    def email_id(self) -> UUID | None:
        """Our own id, which went out as a tag and comes back: it finds the mail even before we have learnt the provider's id."""
        tags = self.data.get("tags")
        try:
            return UUID(tags["email_id"]) if isinstance(tags, dict) else None
        except (KeyError, ValueError, TypeError, AttributeError):
            return None

    @property
    def reason(self) -> str | None:
        """The provider's word for why, never its text, which may hold an address."""
        bounce = self.data.get("bounce")
        kind = bounce.get("type") if isinstance(bounce, dict) else None
        return kind if isinstance(kind, str) else None


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr]) -> None:
    """Raises `SignatureNotValid` unless one of the secrets signed these bytes within the last five minutes."""
    told = {name: headers.get(f"svix-{name}", "") for name in SVIX}
    if not any(_is_signed(body, told, secret.get_secret_value()) for secret in secrets):
        raise SignatureNotValid("The signature is not valid.")


def _is_signed(body: bytes, headers: Mapping[str, str], secret: str) -> bool:
    """The SDK parses after it has verified, and refuses a body that is not JSON with the same error as a wrong signature.

    Such a body is refused too: Resend never sends one.
    """
    try:
        resend.Webhooks.verify(
            {
                "payload": body.decode(),
                "headers": {"id": headers["id"], "timestamp": headers["timestamp"], "signature": headers["signature"]},
                "webhook_secret": secret,
            }
        )
    except ValueError:  # UnicodeDecodeError is one
        return False
    return True


def parse(body: bytes) -> ResendWebhook | None:
    """`None` for what cannot be read even leniently: it is kept all the same, and ends among the dead letters."""
    try:
        return ResendWebhook.model_validate_json(body)
    except ValidationError:
        return None
