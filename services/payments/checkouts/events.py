from __future__ import annotations

from courtside_contracts.payment import PaymentCheckoutOpened
from services.payments.checkouts.domain import Checkout, Quote


def checkout_opened(quote: Quote, checkout: Checkout) -> PaymentCheckoutOpened:
    return PaymentCheckoutOpened(
        booking_id=quote.booking_id,
        attempt_id=quote.attempt_id,
        amount_minor=quote.amount_minor,
        currency=quote.currency,
        checkout_url=checkout.url,
        expires_at=checkout.expires_at,
    )
