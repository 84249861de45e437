"""Defects of the payment service."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from services.payments.orders import mutations as orders
from services.payments.refunds import actions, owing
from services.payments.webhooks import api as webhooks


def accept_any_amount() -> None:
    compared = orders.mismatch

    def mismatch(*about: Any) -> Any:
        reason = compared(*about)
        return None if reason in ("other-amount", "other-currency") else reason

    orders.mismatch = mismatch


def forget_late_refunds() -> None:
    owed = owing._owe

    async def owe(work: Any, due: Any) -> None:
        if due.reason != "paid_too_late":
            await owed(work, due)

    owing._owe = owe


def ask_twice_for_refunds() -> None:
    """Where something is left of the order: the whole of it goes back only once, since the provider itself refuses the second."""
    created = actions.create

    async def create(polar: Any, call: Any, net_minor: int) -> Any:
        made = await created(polar, call, net_minor)
        with contextlib.suppress(Exception):  # nothing was left
            await created(polar, replace(call, comment="once more"), net_minor)
        return made

    actions.create = create


def believe_every_webhook() -> None:
    webhooks.verify = lambda *_: None
