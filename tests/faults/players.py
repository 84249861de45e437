"""Players who book one court after the other and do not give up: what they were told, and what they asked for again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from tests.faults.clubs import OwnClub

PAUSE_SECONDS = 0.05
WITHIN_SECONDS = 120


@dataclass
class Players:
    """So many at a time, each new one with a court and a key of their own."""

    club: OwnClub
    at_once: int = 4
    answers: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    """Requests whose answer never came."""
    held: dict[str, str] = field(default_factory=dict)
    """Booking by player, as they were told."""
    unexplained: list[str] = field(default_factory=list)
    """Refusals that say neither what they are nor when to come again."""

    @asynccontextmanager
    async def booking(self) -> AsyncIterator[Players]:
        """While the block lasts; then each ends what they have begun."""
        closing = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(self._book(closing))
            try:
                yield self
            finally:
                closing.set()

    async def have_held(self, more: int) -> None:
        """Until so many more courts are held."""
        wanted = len(self.held) + more
        async with asyncio.timeout(WITHIN_SECONDS):
            while len(self.held) < wanted:  # noqa: ASYNC110 - the players are other tasks
                await asyncio.sleep(0.02)

    async def are_refused(self, more: int) -> None:
        wanted = self.refusals + more
        async with asyncio.timeout(WITHIN_SECONDS):
            while self.refusals < wanted:  # noqa: ASYNC110 - the players are other tasks
                await asyncio.sleep(0.02)

    @property
    def refusals(self) -> int:
        return self.lost + sum(count for status, count in self.answers.items() if status >= 400)

    async def _book(self, closing: asyncio.Event) -> None:
        while not closing.is_set():
            player, slot, key = f"player-{uuid4().hex[:8]}", self.club.slots.next(), {"Idempotency-Key": str(uuid4())}
            async with asyncio.timeout(WITHIN_SECONDS):
                while player not in self.held:
                    await self._ask(player, slot, key)

    async def _ask(self, player: str, slot: tuple[str, str], key: dict[str, str]) -> None:
        try:
            answer = await self.club.hold(player, *slot, **key)
        except httpx.TransportError:
            self.lost += 1
            await asyncio.sleep(PAUSE_SECONDS)
            return
        self.answers[answer.status_code] += 1
        if answer.status_code == 201:
            self.held[player] = answer.json()["id"]
            return
        if answer.headers["content-type"] != "application/problem+json" or "retry-after" not in answer.headers:
            self.unexplained.append(answer.text)
        await asyncio.sleep(PAUSE_SECONDS)

    async def must_have_what_they_were_told(self) -> None:
        """Each booking is there, with its court and its event, and there is no other: nothing was lost and nothing was done twice."""
        rows = await self.club.database.fetch("SELECT id::text FROM bookings")
        assert sorted(row["id"] for row in rows) == sorted(self.held.values())
        assert await self.club.count("court_occupancy") == len(self.held)
        assert await self.club.count("outbox", "type = 'booking.held.v1'") == len(self.held)
        assert not self.unexplained
