"""A process that is nothing but a relay: `python -m tests.integration.chassis.relaying`, until it is told to stop."""

import asyncio
import signal

import uvloop

from services.chassis.relay import Relay
from tests.integration.chassis.conftest import WorkerSettings


async def relay() -> None:
    settings, stopping = WorkerSettings(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await Relay(settings, settings.database_url.get_secret_value()).run(stopping)


if __name__ == "__main__":
    uvloop.run(relay())
