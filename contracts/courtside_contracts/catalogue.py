"""Every event type there is, on one screen."""

from __future__ import annotations

from courtside_contracts.booking import (
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingRefundDue,
    BookingRescheduled,
)
from courtside_contracts.court import SlotBlocked, SlotUnblocked
from courtside_contracts.envelope import Event
from courtside_contracts.notification import (
    NotificationBounced,
    NotificationDelivered,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
)
from courtside_contracts.payment import (
    PaymentCheckoutOpened,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundRequested,
    PaymentSucceeded,
)
from courtside_contracts.user import UserProfile

EVENTS: dict[str, type[Event]] = {
    event.type: event
    for event in (
        BookingHeld,
        BookingConfirmed,
        BookingRescheduled,
        BookingCancelled,
        BookingExpired,
        BookingCompleted,
        BookingRefundDue,
        SlotBlocked,
        SlotUnblocked,
        PaymentCheckoutOpened,
        PaymentSucceeded,
        PaymentRefundRequested,
        PaymentRefunded,
        PaymentRefundFailed,
        NotificationQueued,
        NotificationSent,
        NotificationDelivered,
        NotificationBounced,
        NotificationFailed,
        UserProfile,
    )
}
