"""Checkouts at Polar: make one, or find the one that was made and whose answer was lost."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from polar.v2026_10.literals import PresentmentCurrency
from polar.v2026_10.outputs import Checkout as PolarCheckout

from services.chassis.telemetry import travelling
from services.payments.actions import Polar
from services.payments.checkouts.domain import Checkout, Intent

PAGE = 100
"""The most that Polar lists at once."""


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
            allow_discount_codes=False,
            customer_email=intent.email,
            metadata=quote.metadata() | travelling(),
            success_url=polar.success_url.replace("{BOOKING_ID}", str(quote.booking_id)),
        )
    return _checkout(made)


async def find(polar: Polar, intent: Intent) -> Checkout | None:
    """The open checkout of this attempt. By the address, since Polar filters by no metadata.

    One that stays unfound, because the address has changed since, is an orphan that nobody has the URL of.
    """
    wanted = intent.quote.metadata()
    page = 1
    while True:
        async with polar.reading():
            found = await polar.client.checkouts.list(query=intent.email, status="open", limit=PAGE, page=page)
        for checkout in found.items:
            if checkout.metadata.get("attempt_id") == wanted["attempt_id"]:
                return _checkout(checkout)
        if page >= found.pagination.max_page:
            return None
        page += 1


def _checkout(made: PolarCheckout) -> Checkout:
    return Checkout(
        id=made.id,
        url=made.url,
        expires_at=datetime.fromisoformat(made.expires_at),
        amount_minor=made.amount,
        currency=made.currency.upper(),
    )
