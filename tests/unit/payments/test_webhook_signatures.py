"""Only Polar's own bytes come in, whichever of its two schemes signed them, and no parsing can refuse what is signed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from services.payments.webhooks.domain import PolarWebhook, SignatureNotValid, WebhookNamesNothing, parse, verify

SECRET = "whsec_" + base64.b64encode(b"the secret of the court").decode()
OTHER = "whsec_" + base64.b64encode(b"the secret of the beach").decode()
BODY = json.dumps(
    {"type": "new.thing", "timestamp": "2026-11-01T10:00:00Z", "api_version": "2026-10", "data": {}}
).encode()


def signed(body: bytes, key: str = SECRET, *, age: timedelta = timedelta(0)) -> dict[str, str]:
    at = datetime.now(UTC) - age
    signature = Webhook(key).sign("wh_1", at, body.decode())
    return {"webhook-id": "wh_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


def legacy(secret: str) -> str:
    """The key of an endpoint made before September 2026: the whole secret's bytes, given to the library in its own form."""
    return base64.b64encode(secret.encode()).decode()


@pytest.mark.parametrize("key", [SECRET, legacy(SECRET)], ids=["standard", "legacy"])
def test_both_signing_schemes_are_known(key: str) -> None:
    verify(BODY, signed(BODY, key), [SecretStr(SECRET)])


def test_while_a_secret_is_replaced_both_are_good() -> None:
    for secret in (SECRET, OTHER):
        verify(BODY, signed(BODY, secret), [SecretStr(SECRET), SecretStr(OTHER)])


@pytest.mark.parametrize("body", [b"not json", b"{}", b"[1]", b'{"type": "order.paid", "data": {}}', b'{"type": 7}'])
def test_what_polar_signed_is_taken_whatever_it_says(body: bytes) -> None:
    verify(body, signed(body), [SecretStr(SECRET)])


@pytest.mark.parametrize(
    "age", [timedelta(minutes=6), -timedelta(minutes=6)], ids=["six minutes ago", "in six minutes"]
)
def test_what_was_not_signed_just_now_is_refused(age: timedelta) -> None:
    refused(BODY, signed(BODY, age=age))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "wh_2"},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
    ],
    ids=["another id", "no time", "forged", "unsigned"],
)
def test_headers_that_were_changed_are_refused(changed: dict[str, str]) -> None:
    refused(BODY, signed(BODY) | changed)


def test_a_body_that_is_not_the_one_signed_is_refused() -> None:
    refused(BODY[:-1], signed(BODY))
    refused(BODY, signed(BODY, OTHER))
    refused(BODY, {})


def test_bytes_that_are_no_text_are_refused_and_not_taken_for_signed() -> None:
    """The SDK fails at them before it looks at the signature, in the way in which it fails at a new type after it."""
    refused(BODY + b"\xff", signed(BODY))


def refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(SignatureNotValid):
        verify(body, headers, [SecretStr(SECRET)])


def test_without_a_secret_nothing_is_good() -> None:
    for secrets in ([], [SecretStr("")]):
        with pytest.raises(SignatureNotValid):
            verify(BODY, signed(BODY), secrets)


@pytest.mark.parametrize(
    ("kind", "data", "checkout_id"),
    [
        ("order.paid", {"id": "o1", "checkout_id": "c1"}, "c1"),
        ("checkout.updated", {"id": "c1"}, "c1"),
        ("refund.created", {"id": "r1", "order_id": "o1"}, None),
        ("order.paid", {"id": "o1", "checkout_id": None}, None),
    ],
)
def test_what_is_about_one_checkout_stays_in_order(
    kind: str, data: dict[str, str | None], checkout_id: str | None
) -> None:
    assert PolarWebhook(type=kind, data=data).checkout_id == checkout_id


@pytest.mark.parametrize("data", [{}, {"id": 7}, {"id": None}, {"id": "../../v1/customers"}])
def test_an_order_without_a_proper_id_is_not_looked_up(data: dict[str, object]) -> None:
    with pytest.raises(WebhookNamesNothing):
        _ = PolarWebhook(type="order.paid", data=data).order_id


@pytest.mark.parametrize(
    ("kind", "data", "money", "checkout"),
    [
        ("order.paid", {}, True, False),
        ("order.refunded", {}, True, False),
        ("refund.updated", {}, True, False),
        ("order.updated", {"status": "paid"}, False, False),
        ("checkout.updated", {"status": "succeeded"}, False, True),
        ("checkout.updated", {"status": "confirmed"}, False, False),
        ("checkout.expired", {"status": "expired"}, False, True),
        ("order.shipped", {}, False, False),
    ],
)
def test_what_is_looked_at_is_money_or_the_end_of_a_page(
    kind: str, data: dict[str, str], money: bool, checkout: bool
) -> None:
    webhook = PolarWebhook(type=kind, data=data)
    assert (webhook.is_about_money, webhook.is_about_a_checkout) == (money, checkout)


def test_a_refund_leads_to_its_order() -> None:
    order_id = "c7a5c0de-0000-4000-8000-000000000001"
    assert PolarWebhook(type="refund.created", data={"id": "r1", "order_id": order_id}).order_id == order_id


@pytest.mark.parametrize("body", [b"not json", b"[1]", b'{"type": 7, "data": {}}', b'{"type": "order.paid"}'])
def test_what_cannot_be_read_is_no_reason_to_refuse(body: bytes) -> None:
    assert parse(body) is None
