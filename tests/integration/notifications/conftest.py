"""A worker of notifications on a real database, mailing over the real SDK into the stand-in's outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.chassis import migrations
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications.emails.actions import Resend
from services.notifications.settings import NotificationsSettings
from tests.integration.notifications.desk import Desk, opened
from tests.integration.notifications.mailer import Place
from tests.integration.notifications.provider import KEY, NEXT_WEBHOOK_SECRET, WEBHOOK_SECRET, Outbox
from tests.integration.notifications.worker import Worker
from tests.ports import free_port
from tests.programs import Program
from tests.stack import TestStack


@pytest.fixture(scope="session")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outbox]:
    """Resend's stand-in without a rate limit; a send takes 50 ms, so that parallel ones do meet."""
    with standin(tmp_path_factory.mktemp("resend"), rate_per_s=0) as outbox:
        yield outbox


@pytest.fixture
def strict_outbox(tmp_path: Path) -> Iterator[Outbox]:
    """One request a second."""
    with standin(tmp_path, rate_per_s=1) as outbox:
        yield outbox


@contextmanager
def standin(folder: Path, rate_per_s: int, latency_s: float = 0.05) -> Iterator[Outbox]:
    port = free_port()
    environment = {
        "RESEND_STANDIN_HOST": "127.0.0.1",
        "RESEND_STANDIN_PORT": str(port),
        "RESEND_STANDIN_API_KEY": KEY,
        "RESEND_STANDIN_STATE": str(folder / "resend.sqlite"),
        "RESEND_STANDIN_RATE_PER_S": str(rate_per_s),
        "RESEND_STANDIN_LATENCY_S": str(latency_s),
    }
    url = f"http://127.0.0.1:{port}"
    program = Program("deploy.standins.resend", environment, f"{url}/healthz", folder / "log")
    program.start()
    try:
        yield Outbox(url)
    finally:
        program.stop()


@pytest.fixture(scope="session")
def place(
    idle_stack: TestStack,
    new_topics: Callable[[], Awaitable[tuple[str, str]]],
    new_database: Callable[[str], Awaitable[str]],
) -> Place:
    return Place(idle_stack, new_topics, new_database)


@pytest.fixture(scope="session")
async def settings(new_database: Callable[[str], Awaitable[str]], outbox: Outbox) -> NotificationsSettings:
    settings = NotificationsSettings(
        environment="test",
        database_url=SecretStr(await new_database("notifications")),
        resend_base_url=outbox.url,
        resend_api_key=SecretStr(KEY),
        resend_per_second=1000,
        resend_webhook_secrets=(SecretStr(WEBHOOK_SECRET), SecretStr(NEXT_WEBHOOK_SECRET)),
    )
    await asyncio.to_thread(migrations.upgrade, settings)
    return settings


@pytest.fixture(scope="session")
async def database(settings: NotificationsSettings) -> AsyncIterator[Database]:
    database = await Database.open(settings)
    yield database
    await database.close()


@pytest.fixture
async def worker(settings: NotificationsSettings, database: Database) -> AsyncIterator[Worker]:
    clock = DatabaseClock()
    await clock.synchronise(database)
    resend = Resend(settings.resend_base_url, settings.resend_api_key)
    yield Worker(settings, UnitOfWorkFactory(database, clock, wake_relay=lambda: None), resend)
    await resend.close()


@pytest.fixture
async def desk(
    settings: NotificationsSettings, database: Database, worker: Worker, tmp_path: Path
) -> AsyncIterator[Desk]:
    async with opened(settings, database, worker, tmp_path / "keys") as desk:
        yield desk
