"""What Prometheus reads of a process that works, or waits for its database's migration."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.booking.settings import BookingSettings
from services.chassis import migrations_watch
from services.chassis.migrations_watch import MigrationsWatch


def begun(group: str) -> float | None:
    return REGISTRY.get_sample_value("courtside_work_begun", {"group": group})


class Watch(MigrationsWatch):
    """Somebody migrates between its second look and its third. Notes what was to be read before each."""

    def __init__(self, topic_prefix: str) -> None:
        database: Any = None
        url = "postgresql://booking@127.0.0.1/booking"
        super().__init__(database, BookingSettings(database_url=url, topic_prefix=topic_prefix))
        self.read: list[float | None] = []

    async def _find_trouble(self) -> str:
        self.read.append(begun(self._group))
        return "the database is empty" if len(self.read) <= 2 else ""


async def test_a_worker_says_that_it_waits_until_its_database_is_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations_watch, "LOOK_AGAIN_SECONDS", 0)
    watch = Watch("club.")
    keeping = asyncio.create_task(watch.keep())
    assert await watch.fits(before=asyncio.Event())
    keeping.cancel()
    assert watch.read == [0, 0, 0]
    assert begun("club.booking") == 1


def test_a_process_without_work_says_nothing_of_it() -> None:
    Watch("api.")
    assert begun("api.booking") is None
