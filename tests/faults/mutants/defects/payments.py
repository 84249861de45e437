"""Defects of the payment service."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from services.payments.failures import Refused
from services.payments.orders import mutations as orders
from services.payments.refunds import actions, owing
from services.payments.webhooks import api as webhooks
from tests.faults.mutants.defects.replacing import replace


def accept_any_amount() -> None:
    def make(compared: Any) -> Any:
        def mismatch(*about: Any) -> Any:
            reason = compared(*about)
            return None if reason in ("other-amount", "other-currency") else reason

        return mismatch

    replace(orders, "mismatch", make)


def doubt_every_payment() -> None:
    replace(orders, "mismatch", lambda _: lambda *_: "other-amount")


def forget_late_refunds() -> None:
    def make(owed: Any) -> Any:
        async def owe(work: Any, due: Any) -> None:
            if due.reason != "paid_too_late":
                await owed(work, due)

        return owe

    replace(owing, "_owe", make)


def ask_twice_for_refunds() -> None:
    """Shows where something is left of the order: the whole of it goes back only once, since the provider refuses the second."""

    def make(created: Any) -> Any:
        async def create(polar: Any, call: Any, net_minor: int) -> Any:
            made = await created(polar, call, net_minor)
            with contextlib.suppress(Exception):  # nothing was left
                await created(polar, dataclasses.replace(call, comment="once more"), net_minor)
            return made

        return create

    replace(actions, "create", make)


def give_refunds_up() -> None:
    async def create(*_: Any) -> Any:
        raise Refused("by our word alone")

    replace(actions, "create", lambda _: create)


def believe_every_webhook() -> None:
    replace(webhooks, "verify", lambda _: lambda *_: None)
