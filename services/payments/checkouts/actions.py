"""Checkouts at Polar: make one, or find the one that was made and whose answer was lost."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from polar.v2026_10.literals import PresentmentCurrency
from polar.v2026_10.outputs import Checkout as PolarCheckout

from services.chassis.telemetry import travelling
from services.payments.actions import PAGE, Polar
from services.payments.checkouts.domain import Checkout, Intent


async def create(polar: Polar, intent: Intent) -> Checkout:
    """At a fixed price made for this checkout alone, which the player can neither edit nor discount. Taxes are within it."""
    quote = intent.quote
    async with polar.writing():
        made = await polar.client.checkouts.create(
            products=[polar.product_id],
            prices={
                polar.product_id: [
                    {
                        "amount_type": "fixed",
                        "price_amount": quote.amount_minor,
                        # Polar's default is usd, in lower case.
                        "price_currency": cast("PresentmentCurrency", quote.currency.lower()),
                        "tax_behavior": "inclusive",
                    }
                ]
            },
            currency=cast("PresentmentCurrency", quote.currency.lower()),
            allow_discount_codes=False,
            customer_email=intent.email,
            metadata=quote.metadata() | travelling(),
            success_url=polar.success_url.replace("{BOOKING_ID}", str(quote.booking_id)),
        )
        return checkout(made)


async def find(polar: Polar, intent: Intent) -> Checkout | None:
    """The open checkout of this attempt. By the address, since Polar filters by no metadata.

    One that stays unfound, because the address has changed since, is an orphan that nobody has the URL of.
    """
    wanted = intent.quote.metadata()
    page = 1
    while True:
        async with polar.reading():
            found = await polar.client.checkouts.list(query=intent.email, status="open", limit=PAGE, page=page)
        for listed in found.items:
            if listed.metadata.get("attempt_id") == wanted["attempt_id"]:
                return checkout(listed)
        if page >= found.pagination.max_page:
            return None
        page += 1


async def read(polar: Polar, checkout_id: str) -> Checkout:
    async with polar.reading():
        return checkout(await polar.client.checkouts.get(checkout_id))


def checkout(made: PolarCheckout) -> Checkout:
    """From Polar's words to ours."""
    return Checkout(
        id=made.id,
        url=made.url,
        status=made.status,
        expires_at=datetime.fromisoformat(made.expires_at),
        created_at=datetime.fromisoformat(made.created_at),
        amount_minor=made.amount,
        currency=made.currency.upper(),
        metadata=made.metadata,
    )
