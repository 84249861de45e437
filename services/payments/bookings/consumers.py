"""Kafka in: what becomes of a booking. Every event tells all of it, so any of them will do, in any order and as often as it comes."""

from __future__ import annotations

from courtside_contracts.booking import BookingEvent
from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts.mutations import give_up
from services.payments.refunds.owing import owe


async def follow(work: UnitOfWork, event: BookingEvent) -> None:
    """A booking that waits for no money needs no page; what it owes goes back."""
    await give_up(work, event)
    await owe(work, event)
