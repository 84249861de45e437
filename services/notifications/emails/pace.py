"""One pace for all workers: the provider counts the requests of the whole account, so each takes its turn from one row.

By the database's clock. Where the provider wants to be left alone, for a second or until a quota is renewed, the next turn is after that,
and a turn that was taken before the provider said so counts no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Interval, func, select, type_coerce
from sqlalchemy.dialects.postgresql import insert

from services.chassis.retrying import NotTried
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails.tables import ProviderTurn

PATIENCE = timedelta(seconds=15)
"""The longest wait for a turn with a record in hand: what is further off waits on a retry tier. 75 mails at Resend's five a second."""
LONGEST_PAUSE = timedelta(hours=1)
"""Then one request asks whether it is really not over: a quota may have been raised."""


class LeftAlone(NotTried):
    """The next free turn is too far off to wait for it with a record in hand."""


@dataclass(frozen=True)
class Pace:
    provider: str
    per_second: float

    async def take_turn(self, work: UnitOfWork) -> timedelta:
        """How long until the next free place, which is ours now. Raises `LeftAlone` when that is too far off."""
        gap, now = timedelta(seconds=1 / self.per_second), func.clock_timestamp()
        place = func.greatest(ProviderTurn.last_at + gap, now)
        turn = insert(ProviderTurn).values(provider=self.provider, last_at=now)
        taken = turn.on_conflict_do_update(
            index_elements=["provider"], set_={"last_at": place}, where=place <= now + PATIENCE
        ).returning(type_coerce(ProviderTurn.last_at - func.clock_timestamp(), Interval))
        wait = (await work.session.execute(taken)).scalar_one_or_none()
        if wait is None:
            raise LeftAlone(f"{self.provider} wants to be left alone", retry_after=await self._until_free(work))
        return max(timedelta(0), wait)

    async def pause(self, work: UnitOfWork, pause: timedelta) -> None:
        """Nobody asks the provider anything meanwhile. A longer pause that is known stays."""
        end = func.clock_timestamp() + min(pause, LONGEST_PAUSE)
        row = insert(ProviderTurn).values(provider=self.provider, last_at=end, paused_until=end)
        later = {
            "last_at": func.greatest(ProviderTurn.last_at, row.excluded.last_at),
            "paused_until": func.greatest(ProviderTurn.paused_until, row.excluded.paused_until),
        }
        await work.session.execute(row.on_conflict_do_update(index_elements=["provider"], set_=later))

    async def is_paused(self, work: UnitOfWork) -> bool:
        ours = select(ProviderTurn.paused_until > func.clock_timestamp()).where(ProviderTurn.provider == self.provider)
        return bool(await work.session.scalar(ours))

    async def _until_free(self, work: UnitOfWork) -> timedelta | None:
        left = select(type_coerce(ProviderTurn.last_at - func.clock_timestamp(), Interval)).where(
            ProviderTurn.provider == self.provider
        )
        return await work.session.scalar(left)
