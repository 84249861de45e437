"""Webhooks that arrive together are stored together: one commit for all that came while the one before was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from services.chassis.database import NoDatabase
from services.chassis.gathering import Gathering
from services.chassis.retrying import is_database_away, is_locked_out, is_transient
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.payments.webhooks.mutations import store
from services.payments.webhooks.receipts import Receipt

TOGETHER = 50
"""In one commit, of at most a megabyte each."""
PATIENCE_SECONDS = 10.0
"""Of one webhook, whoever is before it. Polar waits as long, and comes again."""

Trouble: TypeAlias = Exception | None


class Receiving:
    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work
        self._gathering = Gathering[Receipt, Trouble](self._store, lambda _: (), TOGETHER)

    async def store(self, receipt: Receipt) -> None:
        """Returns once it is committed, by whoever's transaction. Raises `NoDatabase` when that takes too long: it may be stored then."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                trouble = await self._gathering.answer(receipt)
        except TimeoutError as error:
            raise NoDatabase("TimeoutError") from error
        if trouble:
            raise trouble

    async def _store(self, receipts: Sequence[Receipt]) -> Sequence[Trouble]:
        try:
            await self._unit_of_work.run(lambda work: store(work, receipts))
        except Exception as error:
            if len(receipts) == 1 or is_database_away(error) or _is_everybodys(error):
                raise
            return [await self._store_alone(receipt) for receipt in receipts]
        return [None] * len(receipts)

    async def _store_alone(self, receipt: Receipt) -> Trouble:
        """One that cannot be stored, or that another process is just storing, takes no other along."""
        try:
            await self._unit_of_work.run(lambda work: store(work, [receipt]))
        except Exception as error:  # noqa: BLE001 - told to whoever sent it
            return error
        return None


def _is_everybodys(error: Exception) -> bool:
    """Each for itself would wait as long again."""
    return is_transient(error) and not is_locked_out(error)
