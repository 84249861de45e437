"""The resources as Polar writes them. The SDK refuses an answer in which a field is missing, so each one is here whole."""

import secrets
import uuid

from deploy.standins.clock import iso
from deploy.standins.polar.inputs import CheckoutCreate, FixedPrice
from deploy.standins.polar.state import Document, Standin

LIFETIME_S = 24 * 60 * 60  # of a checkout; Polar has no way to shorten it
CATALOGUE_PRICE = FixedPrice(amount_type="fixed", price_amount=2000, price_currency="eur")


def new_id() -> str:
    return str(uuid.uuid4())


def price(standin: Standin, wanted: FixedPrice, source: str) -> Document:
    return {
        "id": new_id(), "created_at": standin.now_iso(), "modified_at": None, "source": source, "is_archived": False,
        "product_id": str(standin.settings.product_id), **wanted.model_dump(),
    }  # fmt: skip


def product(standin: Standin, prices: list[Document]) -> Document:
    return {
        "id": str(standin.settings.product_id), "created_at": standin.now_iso(), "modified_at": None,
        "trial_interval": None, "trial_interval_count": None, "name": standin.settings.product_name,
        "description": None, "visibility": "public", "recurring_interval": None, "recurring_interval_count": None,
        "meter_interval": None, "meter_interval_count": None, "is_recurring": False, "is_archived": False,
        "organization_id": standin.organization_id, "prices": prices, "benefits": [], "medias": [], "metadata": {},
    }  # fmt: skip


def checkout(standin: Standin, wanted: CheckoutCreate, chosen: FixedPrice, source: str) -> Document:
    now = standin.clock.now()
    secret = f"polar_c_{secrets.token_urlsafe(32)}"
    url = f"{standin.settings.url}/checkout/{secret}"
    item = price(standin, chosen, source)
    offered = product(standin, [item])
    amount = chosen.price_amount
    return {
        "id": new_id(), "created_at": iso(now), "modified_at": None, "payment_processor": "stripe", "status": "open",
        "client_secret": secret, "url": url, "expires_at": iso(now + LIFETIME_S),
        "success_url": wanted.success_url or url, "return_url": wanted.return_url, "embed_origin": wanted.embed_origin,
        "amount": amount, "units": None, "min_units": None, "max_units": None, "discount_amount": 0,
        "net_amount": amount, "tax_amount": None, "tax_behavior": None, "total_amount": amount,
        "currency": chosen.price_currency, "allow_trial": None, "active_trial_interval": None,
        "active_trial_interval_count": None, "trial_end": None, "organization_id": standin.organization_id,
        "product_id": offered["id"], "product_price_id": item["id"], "discount_id": None,
        "allow_discount_codes": wanted.allow_discount_codes, "require_billing_address": wanted.require_billing_address,
        "is_discount_applicable": False, "is_free_product_price": amount == 0, "is_payment_required": amount > 0,
        "is_payment_setup_required": False, "is_payment_form_required": amount > 0, "customer_id": None,
        "is_business_customer": False, "customer_name": wanted.customer_name, "customer_email": wanted.customer_email,
        "customer_ip_address": wanted.customer_ip_address, "customer_billing_name": None,
        "customer_billing_address": None, "customer_tax_id": None, "locale": wanted.locale,
        "payment_method_type": None, "payment_processor_metadata": {},
        "billing_address_fields": {
            "country": "required", "state": "optional", "city": "optional", "postal_code": "optional",
            "line1": "optional", "line2": "optional",
        },
        "trial_interval": None, "trial_interval_count": None, "metadata": wanted.metadata,
        "external_customer_id": wanted.external_customer_id, "products": [offered], "product": offered,
        "product_price": item, "prices": {offered["id"]: [item]}, "discount": None, "subscription_id": None,
        "attached_custom_fields": None, "customer_metadata": wanted.customer_metadata,
    }  # fmt: skip


def payment(standin: Standin, paid_checkout: Document) -> Document:
    return {
        "id": new_id(), "created_at": standin.now_iso(), "modified_at": None, "processor": "stripe",
        "status": "pending", "amount": paid_checkout["total_amount"], "currency": paid_checkout["currency"],
        "method": "card", "trigger": "purchase", "decline_reason": None, "decline_message": None,
        "organization_id": standin.organization_id, "checkout_id": paid_checkout["id"], "order_id": None,
        "processor_metadata": {}, "method_metadata": {"brand": "visa", "last4": "4242"},
    }  # fmt: skip


def customer(standin: Standin, paying: Document) -> Document:
    return {
        "id": new_id(), "created_at": standin.now_iso(), "modified_at": None, "metadata": paying["customer_metadata"],
        "external_id": paying["external_customer_id"], "email": paying["customer_email"], "email_verified": False,
        "type": "individual", "name": paying["customer_name"], "billing_name": None, "billing_address": None,
        "tax_id": None, "locale": paying["locale"], "organization_id": standin.organization_id,
        "default_payment_method_id": None, "deleted_at": None, "first_user_event_at": None, "avatar_url": None,
    }  # fmt: skip


def order(standin: Standin, paid_checkout: Document, buyer: Document, number: int) -> Document:
    amount = paid_checkout["total_amount"]
    label = paid_checkout["product"]["name"]
    item = {
        "id": new_id(), "created_at": standin.now_iso(), "modified_at": None, "label": label, "amount": amount,
        "tax_amount": 0, "proration": False, "product_price_id": paid_checkout["product_price_id"],
        "start_timestamp": None, "end_timestamp": None,
    }  # fmt: skip
    return {
        "id": new_id(), "created_at": standin.now_iso(), "modified_at": None, "status": "paid", "paid": True,
        "subtotal_amount": amount, "discount_amount": 0, "net_amount": amount, "tax_amount": 0, "total_amount": amount,
        "applied_balance_amount": 0, "due_amount": amount, "refunded_amount": 0, "refunded_tax_amount": 0,
        "currency": paid_checkout["currency"], "billing_reason": "purchase", "billing_name": None,
        "billing_address": None, "invoice_number": f"INV-{number:05}", "is_invoice_generated": False,
        "receipt_number": None, "units": None, "customer_id": buyer["id"], "product_id": paid_checkout["product_id"],
        "discount_id": None, "subscription_id": None, "checkout_id": paid_checkout["id"],
        "metadata": paid_checkout["metadata"], "platform_fee_amount": 0, "platform_fee_currency": None,
        "product": paid_checkout["product"], "discount": None, "subscription": None, "items": [item],
        "description": label, "refundable_amount": amount, "refundable_tax_amount": 0, "customer": buyer,
    }  # fmt: skip


def refund(standin: Standin, refunded_order: Document, amount: int, reason: str, metadata: Document) -> Document:
    return {
        "id": new_id(), "created_at": standin.now_iso(), "modified_at": None, "metadata": metadata, "status": "pending",
        "reason": reason, "amount": amount, "tax_amount": 0, "currency": refunded_order["currency"],
        "organization_id": standin.organization_id, "order_id": refunded_order["id"], "subscription_id": None,
        "customer_id": refunded_order["customer_id"], "revoke_benefits": False, "dispute": None,
    }  # fmt: skip
