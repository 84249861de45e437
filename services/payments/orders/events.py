from __future__ import annotations

from courtside_contracts.payment import PaymentSucceeded
from services.payments.checkouts.domain import Quote
from services.payments.orders.domain import Order


def payment_succeeded(order: Order, quote: Quote) -> PaymentSucceeded:
    return PaymentSucceeded(
        booking_id=quote.booking_id,
        attempt_id=quote.attempt_id,
        amount_minor=order.total_minor,
        currency=order.currency,
        order_id=order.id,
        paid_at=order.paid_at,
    )
