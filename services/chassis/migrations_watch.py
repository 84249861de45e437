"""Has our database what this code expects? Nothing is taken up before: a record that meets a table or a column that is not there yet would
be a dead letter at once, and nobody promises that a release migrates before its workers start.
"""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import Gauge

from services.chassis.database import Database
from services.chassis.health import fitting_revision
from services.chassis.settings import Settings

log = structlog.get_logger()

BEGUN = Gauge(
    "courtside_work_begun",
    "1 once this process works for the group, 0 while that waits for the database. Who serves HTTP alone tells nothing",
    ["group"],
)

LOOK_AGAIN_SECONDS = 1.0
"""Somebody is migrating, or the database is away: both end within seconds, as a rule."""
GIVE_UP_SECONDS = 10.0
"""Of one look, not of the wait: whoever is not ready is seen, and a process that ended for it would only be started again."""


class MigrationsWatch:
    """Looks until it is so. A database that was far enough once stays so: it is not asked again."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._service = database, settings.service
        self._group = settings.topic_prefix + settings.service
        self._fits = asyncio.Event()
        self._trouble = ""

    async def keep(self) -> None:
        self._show()
        while not await self.look():  # noqa: ASYNC110 - another process migrates
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        await asyncio.Event().wait()  # what ends is begun again

    async def look(self) -> bool:
        known, self._trouble = self._trouble, await self._find_trouble()
        if self._trouble and self._trouble != known:
            log.warning("work waits for the database", trouble=self._trouble)
        if known and not self._trouble:
            log.info("the database is as it must be: work begins")
        if not self._trouble:
            self._fits.set()
            self._show()
        return self._fits.is_set()

    async def fits(self, before: asyncio.Event) -> bool:
        """Wait for it, but no longer than until that event. Whether it is so."""
        waits = [asyncio.create_task(event.wait()) for event in (self._fits, before)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._fits.is_set()

    def _show(self) -> None:
        """Of its consumers nobody tells before they have begun: no lag, and no alarm about it."""
        BEGUN.labels(self._group).set(self._fits.is_set())

    async def _find_trouble(self) -> str:
        """By an ordinary connection, with an ordinary one's patience: the probe's is too short for a machine that is busy."""
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS), self._database.engine.connect() as connection:
                await fitting_revision(connection, self._service)
        except Exception as error:  # noqa: BLE001 - a look at something may fail in any way, and ends no process
            return str(error) or type(error).__name__
        return ""
