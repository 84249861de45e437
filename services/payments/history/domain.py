"""The steps that a payment can take, as its timeline tells them."""

from __future__ import annotations

from typing import Literal

Step = Literal[
    "begun",
    "opened",
    "lapsed",
    "paid",
    "quarantined",
    "refund_requested",
    "refund_pending",
    "refunded",
    "refund_failed",
]

BOOKING, PAYMENTS, POLAR, RECONCILER = "booking", "payments", "polar", "reconciler"
"""Who may have decided, beside a person: that is their user id."""
