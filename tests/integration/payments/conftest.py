from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from deploy.local.keys import ensure_keys
from services.chassis.migrations import upgrade
from services.payments.settings import PaymentsSettings
from tests.integration.booking.in_process import Office, migrate
from tests.integration.payments.builders import Payments, RunningPolar, settings_for
from tests.integration.payments.exchange import Exchange

NewDatabase = Callable[[str], Awaitable[str]]
"""Of a service; its URL."""
NewTopics = Callable[[], Awaitable[tuple[str, str]]]
"""All topics under a prefix of their own; the broker's address and the prefix."""


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPolar]:
    running = RunningPolar(tmp_path_factory.mktemp("polar"))
    running.program.start()
    yield running
    running.program.stop()


@pytest.fixture(scope="session")
async def payments_settings(
    new_database: NewDatabase, standin: RunningPolar, tmp_path_factory: pytest.TempPathFactory
) -> PaymentsSettings:
    """Of a service whose database is migrated."""
    keys = tmp_path_factory.mktemp("keys")
    ensure_keys(keys)
    settings = settings_for(await new_database("payments"), standin, jwks_file=keys / "jwks.json")
    await asyncio.to_thread(upgrade, settings)
    return settings


@pytest.fixture
async def empty_settings(new_database: NewDatabase, standin: RunningPolar) -> PaymentsSettings:
    return settings_for(await new_database("payments"), standin)


@pytest.fixture(scope="module")
async def exchange(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """With books and a Polar of its own, whose clock may be moved: a comparison sees all there is, and nothing of other tests."""
    folder = tmp_path_factory.mktemp("exchange")
    ensure_keys(folder)
    standin = RunningPolar(folder)
    standin.program.start()
    settings = settings_for(await new_database("payments"), standin, jwks_file=folder / "jwks.json")
    await asyncio.to_thread(upgrade, settings)
    payments, url = await Payments.start(settings, standin), await new_database("booking")
    await migrate(url)
    async with Office.open(url) as office, Exchange.open(office, payments) as exchange:
        yield exchange
    await payments.stop()
    standin.program.stop()


@pytest.fixture(scope="session")
async def payments(payments_settings: PaymentsSettings, standin: RunningPolar) -> AsyncIterator[Payments]:
    running = await Payments.start(payments_settings, standin)
    yield running
    await running.stop()
