"""A release while the club is open: the schema grows under load, then every process is replaced. No player notices."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from alembic import command

from deploy.local.environment import ROOT
from services.booking.settings import BookingSettings
from services.chassis import migrations
from tests.e2e.balancer import Balancer, balancing
from tests.e2e.conftest import NO_PACE, STANDIN_WITHOUT_LIMIT, System, finished
from tests.stack import TestStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PLAYERS, AT_ONCE = 20, 4
PROCESSES = (
    ("booking", "api"),
    ("booking", "api"),
    ("booking", "worker"),
    ("payments", "api"),
    ("payments", "worker"),
    ("notifications", "worker"),
)
NEXT_RELEASE = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None


def upgrade():
    op.add_column("bookings", sa.Column("note", sa.Text()))
    op.add_column("outbox", sa.Column("note", sa.Text()))
    with op.get_context().autocommit_block():
        op.create_index("bookings_by_note", "bookings", ["note"], postgresql_concurrently=True)
"""


@dataclass
class Club:
    """Two processes of the booking API and one of all others, each service behind a balancer at its usual address."""

    system: System
    balancers: dict[str, Balancer]
    running: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Service, role, name of the process, URL."""

    async def start(self, service: str, role: str, number: int) -> None:
        name = f"{service}-{role}-{number}"
        changes = NO_PACE if service == "notifications" else {}
        url = await self.system.stack.start(service, role, name=name, **changes)
        self.running.append((service, role, name, url))
        if role == "api":
            self.balancers[service].backends.append(url)

    async def replace_all(self) -> None:
        """As Kubernetes does: the new one is ready, the old one gets no request any more, then it is told to stop."""
        before = list(self.running)
        await asyncio.gather(*(self.start(*process, number) for number, process in enumerate(PROCESSES, len(before))))
        for service, role, name, url in before:
            if role == "api":
                self.balancers[service].backends.remove(url)
            await self.system.stack.stop(name)
            self.running.remove((service, role, name, url))


@asynccontextmanager
async def opened(stack: TestStack) -> AsyncIterator[Club]:
    await asyncio.gather(stack.start_postgres(), stack.start_kafka())
    await stack.install()
    async with AsyncExitStack() as parts:
        ports = stack.installation.ports
        balancers = {
            service: await parts.enter_async_context(balancing(getattr(ports, service)))
            for service in ("booking", "payments")
        }
        client = await parts.enter_async_context(httpx.AsyncClient(timeout=10, trust_env=False))
        await asyncio.gather(stack.start_standin("polar"), stack.start_standin("resend", **STANDIN_WITHOUT_LIMIT))
        club = Club(System(stack, client), balancers)
        await asyncio.gather(*(club.start(*process, number) for number, process in enumerate(PROCESSES)))
        yield club


@pytest.fixture
async def club() -> AsyncIterator[Club]:
    stack = await TestStack.open()
    try:
        async with opened(stack) as club:
            yield club
    finally:
        for name in stack.processes.names():
            if name.startswith(("booking-", "payments-", "notifications-", "polar", "resend")):
                await stack.stop(name)
        await stack.close()


async def playing(club: Club, closing: asyncio.Event) -> list[dict[str, Any]]:
    """Players come until the club closes: what each round of them got."""
    rounds = []
    while not closing.is_set():
        demo = await club.system.demo("--count", str(PLAYERS), "--concurrency", str(AT_ONCE))
        rounds.append(await finished(demo))
    return rounds


async def migrate_to_the_next_release(club: Club, folder: Path) -> None:
    """By the code that migrates every release, with one more step in its folder."""
    versions = shutil.copytree(ROOT / "services" / "booking" / "migrations", folder / "migrations") / "versions"
    head = max(versions.glob("0*.py")).name.partition("_")[0]
    (versions / "next.py").write_text(NEXT_RELEASE.format(head=head))
    settings = BookingSettings(database_url=club.system.stack.installation.database_url("booking"))
    alembic = migrations.config(settings)
    alembic.set_main_option("script_location", str(folder / "migrations"))
    await asyncio.to_thread(command.upgrade, alembic, "head")


async def test_a_release_under_load_fails_no_request_and_doubles_no_effect(club: Club, tmp_path: Path) -> None:
    closing = asyncio.Event()
    load = asyncio.create_task(playing(club, closing))
    try:
        await migrate_to_the_next_release(club, tmp_path)
        await club.replace_all()
    finally:
        closing.set()
    rounds = await load
    everything = {"count": PLAYERS, "confirmed": PLAYERS, "charges": PLAYERS, "mails": PLAYERS, "events": 5 * PLAYERS}
    assert rounds
    for result in rounds:
        assert {name: result[name] for name in everything} == everything
    answers = club.balancers["booking"].answers + club.balancers["payments"].answers
    assert not [status for status in answers if status >= 500], answers
    assert sum(answers.values()) > PLAYERS * len(rounds) * 4
    assert await migrated(club)
    assert not secrets_seen(club)


async def migrated(club: Club) -> bool:
    connection = await asyncpg.connect(club.system.stack.installation.database_url("booking"))
    try:
        return bool(await connection.fetchval("SELECT version_num = 'next' FROM alembic_version"))
    finally:
        await connection.close()


def secrets_seen(club: Club) -> list[str]:
    """In the logs of all processes."""
    installation = club.system.stack.installation
    known = installation.secrets
    words = (known.postgres_password, known.polar_access_token, known.polar_webhook_secret, known.resend_api_key)
    logs = [*installation.paths.logs.glob("*.log")]
    assert len(logs) > 2 * len(PROCESSES)
    return [file.name for file in logs if any(word in file.read_text(errors="replace") for word in words)]
