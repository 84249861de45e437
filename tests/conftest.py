"""What the tests of all folders ask for: PostgreSQL, Kafka, both with the services' databases, and fresh databases and topics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from tests.stack import TestStack


@pytest.fixture(scope="session")
async def idle_stack() -> AsyncIterator[TestStack]:
    """Folder and ports of this run; what the other fixtures start in it ends with the session."""
    stack = await TestStack.open()
    try:
        yield stack
    finally:
        await stack.close()


@pytest.fixture(scope="session")
async def postgres(idle_stack: TestStack) -> Postgres:
    await idle_stack.start_postgres()
    return idle_stack.postgres


@pytest.fixture(scope="session")
async def kafka(idle_stack: TestStack) -> Kafka:
    await idle_stack.start_kafka()
    return idle_stack.kafka


@pytest.fixture(scope="session")
async def stack(idle_stack: TestStack, postgres: Postgres, kafka: Kafka) -> TestStack:
    """With both servers, and the three services' databases still empty."""
    await idle_stack.ensure_databases()
    return idle_stack


@pytest.fixture(scope="session")
def new_database(idle_stack: TestStack, postgres: Postgres) -> Callable[[str], Awaitable[str]]:
    """`await new_database("booking")` is the URL of an empty database that this role owns."""
    return idle_stack.new_database


@pytest.fixture(scope="session")
def new_topics(idle_stack: TestStack, kafka: Kafka) -> Callable[[], Awaitable[tuple[str, str]]]:
    """`await new_topics()` is the broker's address and a prefix under which all topics have just been made."""
    return idle_stack.new_topics
