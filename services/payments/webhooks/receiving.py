"""Webhooks that arrive together are stored together: one commit for all that came while the one before was under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from services.chassis.gathering import Gathering
from services.chassis.retrying import is_database_away, is_transient
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.payments.webhooks.mutations import store
from services.payments.webhooks.receipts import Receipt

TOGETHER = 50
"""In one commit, of at most a megabyte each."""

Stored: TypeAlias = Exception | None


class Receiving:
    def __init__(self, unit_of_work: UnitOfWorkFactory) -> None:
        self._unit_of_work = unit_of_work
        self._gathering = Gathering[Receipt, Stored](self._store, lambda _: (), TOGETHER)

    async def store(self, receipt: Receipt) -> None:
        """Returns once it is committed, by whoever's transaction."""
        if error := await self._gathering.answer(receipt):
            raise error

    async def _store(self, receipts: Sequence[Receipt]) -> Sequence[Stored]:
        try:
            await self._unit_of_work.run(lambda work: store(work, receipts))
        except Exception as error:
            if len(receipts) == 1 or is_transient(error) or is_database_away(error):
                raise
            return [await self._store_alone(receipt) for receipt in receipts]
        return [None] * len(receipts)

    async def _store_alone(self, receipt: Receipt) -> Stored:
        """One that cannot be stored takes no other along."""
        try:
            await self._unit_of_work.run(lambda work: store(work, [receipt]))
        except Exception as error:  # noqa: BLE001 - told to whoever sent it
            return error
        return None
