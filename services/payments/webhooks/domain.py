"""Is a webhook Polar's, and what does it hint at? Decided on the raw bytes: parsing comes after the signature, and never refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from polar.webhooks import PolarWebhookError, PolarWebhookVerificationError, validate_event
from pydantic import Field, SecretStr, ValidationError

from courtside_contracts import topics
from courtside_contracts.envelope import Event
from services.chassis.problems import Forbidden
from services.chassis.retrying import Fatal

NO_TYPES: frozenset[str] = frozenset()

WEBHOOK_MAX_BYTES = 1_000_000
"""What a record of our topic can carry, with room for its headers. To Polar a refusal counts as a failed delivery."""


class SignatureNotValid(Forbidden):
    """The webhook is not signed with a secret of ours, or was signed too long ago."""


class WebhookNamesNothing(Fatal):
    """An event about an order, a refund or a checkout without the id to look at."""


class PolarWebhook(Event):
    """What Polar sent, the very bytes. Its own `type` and `data` are read as leniently as can be: Polar adds to them."""

    type: ClassVar[str] = "polar.webhook.v1"
    topic: ClassVar[str] = topics.POLAR_WEBHOOKS.name
    source: ClassVar[str] = "/courtside/payments"

    kind: str = Field(alias="type")
    data: dict[str, Any]

    @property
    def checkout_id(self) -> str | None:
        found = self.data.get("id") if self.kind.startswith("checkout.") else self.data.get("checkout_id")
        return found if isinstance(found, str) else None

    @property
    def key(self) -> str:
        """Webhooks of one checkout stay in order. Empty for one that names none: it has nobody to wait for."""
        return self.checkout_id or ""

    @property
    def is_about_money(self) -> bool:
        """`order.created` and `order.updated` are left out: each comes beside one of these."""
        return self.kind in ("order.paid", "order.refunded", "refund.created", "refund.updated")

    @property
    def is_about_a_checkout(self) -> bool:
        """At its end: before that there is nothing to do but to wait, and each look costs calls that Polar counts."""
        at_its_end = self.data.get("status") in ("succeeded", "expired", "failed")
        return self.kind in ("checkout.updated", "checkout.expired") and at_its_end

    @property
    def order_id(self) -> str:
        """A UUID and nothing else: it becomes part of a URL."""
        return self._uuid("order_id" if self.kind.startswith("refund.") else "id")

    @property
    def subject_id(self) -> str:
        return self._uuid("id")

    @property
    def traceparent(self) -> str | None:
        """The trace in which the checkout was opened, if it was recorded: Polar hands on what its metadata says."""
        metadata = self.data.get("metadata")
        found = metadata.get("traceparent") if isinstance(metadata, dict) else None
        return found if isinstance(found, str) else None

    def _uuid(self, name: str) -> str:
        try:
            return str(UUID(self.data[name]))
        except (KeyError, ValueError, TypeError, AttributeError):
            raise WebhookNamesNothing(f"{self.kind} names no {name}") from None


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr]) -> None:
    """Raises `SignatureNotValid` unless one of the secrets signed these bytes within the last five minutes.

    Both of Polar's schemes are tried, the whole secret as the key and what follows `whsec_` decoded.
    """
    if not _is_utf8(body) or not any(_is_signed(body, headers, secret.get_secret_value()) for secret in secrets):
        raise SignatureNotValid("The signature is not valid.")


def _is_utf8(body: bytes) -> bool:
    """The SDK decodes before it verifies, and fails there as if the signature were good."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_signed(body: bytes, headers: Mapping[str, str], secret: str) -> bool:
    """The SDK is asked about the signature alone, so it is told of no types.

    Its models of all payloads take three seconds to build, in which no request would be answered, and they refuse what is new.
    """
    try:
        validate_event(body, dict(headers), secret, NO_TYPES, dict)
    except PolarWebhookVerificationError:
        return False
    except (
        PolarWebhookError
    ):  # all that comes after the signature: a type that is not in `NO_TYPES`, a body that is not JSON
        return True
    return True


def parse(body: bytes) -> PolarWebhook | None:
    """`None` for what cannot be read even leniently: it is kept all the same, and ends among the dead letters."""
    try:
        return PolarWebhook.model_validate_json(body)
    except ValidationError:
        return None
