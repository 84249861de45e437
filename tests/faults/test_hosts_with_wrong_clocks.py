"""Two hosts of the API, one an hour ahead and one an hour behind, and both jump: a hold ends when the database says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from deploy.local.postgres import Postgres
from tests.faults.clock_off import VARIABLE
from tests.faults.clubs import OwnClub, open_club
from tests.faults.test_wrong_clocks import HOUR, clock_off_by
from tests.ports import free_port
from tests.programs import REPOSITORY, wait_until
from tests.stack import TestStack

pytestmark = pytest.mark.slow

HOLD = timedelta(minutes=15)
NEARLY = timedelta(minutes=5)
"""A test may be slow; an hour is far more."""


@dataclass(frozen=True)
class HostClub(OwnClub):
    """Seen from a client of a host whose clock is off; its tokens come from an identity provider of the same wrong time."""

    off: timedelta = timedelta(0)
    child: subprocess.Popen[bytes] | None = None

    def token(self, player: str, role: str = "player") -> str:
        with clock_off_by(self.off):
            return super().token(player, role)

    def jumped(self) -> HostClub:
        assert self.child
        self.child.send_signal(signal.SIGUSR1)
        return replace(self, off=-self.off)


@contextmanager
def host(club: OwnClub, off: timedelta, log: Path) -> Iterator[HostClub]:
    port = free_port()
    told = {
        "BOOKING_DATABASE_URL": club.database_url,
        "BOOKING_HTTP_PORT": str(port),
        VARIABLE: str(off.total_seconds()),
    }
    environment = os.environ | club.stack.environment("booking", **told)
    command = [sys.executable, "-m", "tests.faults.clock_off", "services.booking", "api"]
    with log.open("ab") as output:
        child = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), f"a host that is {off} off: {log}")
        yield HostClub(url, club.database_url, club.database, club.stack, club.client, club.slots, off, child)
    finally:
        child.terminate()
        child.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
async def hosts(
    idle_stack: TestStack, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[HostClub, HostClub]]:
    """One that is ahead, and one that is behind."""
    del postgres  # it must run
    folder = tmp_path_factory.mktemp("hosts")
    async with open_club(idle_stack, "club-on-time") as club:
        with ExitStack() as stack:
            ahead = stack.enter_context(host(club, HOUR, folder / "ahead.log"))
            behind = stack.enter_context(host(club, -HOUR, folder / "behind.log"))
            yield ahead, behind


def is_now(instant: str, plus: timedelta = timedelta(0)) -> bool:
    """By the database's clock, which is this machine's."""
    return abs(datetime.fromisoformat(instant) - datetime.now(UTC) - plus) < NEARLY


async def test_a_hold_ends_when_the_database_says_so_whatever_the_hosts_think(
    hosts: tuple[HostClub, HostClub],
) -> None:
    ahead, behind = hosts
    for number in range(2):
        slot = ahead.slots.next()
        held = await behind.hold(f"early{number}", *slot)
        assert held.status_code == 201, held.text
        assert is_now(held.json()["hold_expires_at"], HOLD)
        assert (await ahead.hold(f"late{number}", *slot)).status_code == 409, "an hour ahead, the hold seems over"

        other = await ahead.held(f"other{number}")
        assert is_now(other["hold_expires_at"], HOLD)
        over = "UPDATE bookings SET hold_expires_at = now() - interval '1 second' WHERE id = $1"
        await ahead.database.execute(over, held.json()["id"])
        assert (await behind.hold(f"late{number}", *slot)).status_code == 201, "an hour behind, it seems to last"
        ahead, behind = behind.jumped(), ahead.jumped()
    assert await ahead.count(OVERLAPS) == 0


OVERLAPS = """court_occupancy a JOIN court_occupancy b
    ON a.court_id = b.court_id AND a.during && b.during AND a.ctid <> b.ctid"""


async def test_the_last_hour_to_cancel_in_is_the_databases_too(hosts: tuple[HostClub, HostClub]) -> None:
    """A game in 24 and a half hours: by the clock of the one host it is too late to cancel, by that of the other not for long."""
    ahead, behind = hosts
    for number, club in enumerate((ahead, behind)):
        for minutes, status in ((30, 200), (-30, 409)):
            player = f"canceller{number}{minutes}"
            booking = await club.held(player)
            starts_at = datetime.now(UTC) + timedelta(hours=24, minutes=minutes)
            await club.database.execute(MOVE, booking["id"], starts_at, starts_at + timedelta(minutes=90))
            answer = await club.cancel(player, booking["id"])
            assert answer.status_code == status, answer.text


MOVE = """
UPDATE bookings SET starts_at = $2, ends_at = $3, status = 'confirmed', hold_expires_at = NULL WHERE id = $1
"""
