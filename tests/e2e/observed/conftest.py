"""A system of its own, as an operator watches one: a collector takes its traces, a Prometheus its metrics. Retries wait for seconds."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.environment import HOST, SERVICES, Ports, port_variable
from deploy.player import Player, Slot, Urls, free_slots
from deploy.tokens import Role, mint
from services.booking.venues.seed import VENUE_ID
from tests.e2e.conftest import NO_PACE, STANDIN_WITHOUT_LIMIT, System
from tests.otlp import Receiver, receiving
from tests.prometheus import Prometheus, watching
from tests.stack import TestStack

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "0"))
"""How long each outage lasts at the least; its alarm is waited for anyway."""
GIVE_UP_SECONDS = 120 + OUTAGE_SECONDS / 2
NEWS_SECONDS = 5.0
"""Until what has happened can raise an alarm: a scrape begins every two seconds and takes two at most, and rules run each second."""
FIRST_DAY = 2
"""Far enough ahead for a player to cancel."""
SLOTS = 400 + round(OUTAGE_SECONDS)
"""A visit takes three, and there is one every twenty seconds of each of five outages."""
OWN = {"payments": {"RECONCILE_EVERY_SECONDS": "5"}}
CONFIRMED = "booking-confirmed"
SHORT_LADDER = json.dumps(["PT1S", "PT2S", "PT2S", "PT2S"])


@dataclass(frozen=True)
class Observed(System):
    collector: Receiver
    prometheus: Prometheus
    told: dict[str, str]
    slots: list[Slot]

    async def start_again(self, service: str) -> None:
        ours = {"RETRY_DELAYS": SHORT_LADDER} | OWN.get(service, {})
        await self.stack.start(
            service, **self.told, **{f"{service.upper()}_{name}": told for name, told in ours.items()}
        )

    def url(self, part: str) -> str:
        return self.stack.installation.url(part)

    def player(self, role: Role = Role.PLAYER) -> Player:
        email = f"player-{secrets.token_hex(6)}@example.com"
        keys, urls = self.stack.installation.paths.keys, Urls(*map(self.url, ("booking", "polar", "resend")))
        return Player(self.client, urls, email, mint(keys, email, "Ana Ruiz", role), give_up_seconds=GIVE_UP_SECONDS)

    async def book_free(self) -> str:
        """A member of staff takes a court, without payment. The booking's id."""
        staff, slot = self.player(Role.ADMIN), self.slots.pop()
        body = {"court_id": slot.court_id, "starts_at": slot.starts_at, "without_payment": True}
        answer = await self.ask(staff, "POST", "/v1/bookings", json=body)
        assert (answer.status_code, answer.json()["status"]) == (201, "confirmed"), answer.text
        return str(answer.json()["id"])

    async def ask(
        self, player: Player, method: str, path: str, *, service: str = "booking", **request: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {player.token}"}
        return await self.client.request(method, self.url(service) + path, headers=headers, **request)

    async def check(self, service: str, name: str) -> dict[str, Any]:
        """One check of `/readyz`; the process must be ready whatever it says."""
        answer = await self.client.get(f"{self.url(service)}/readyz")
        assert answer.status_code == 200, answer.text
        (told,) = answer.json()["checks"][name]
        return dict(told)

    async def mails(self, booking_id: str) -> int:
        """How many say that it is confirmed."""
        query = {"tag": f"booking_id:{booking_id}"}
        found = (await self.client.get(f"{self.url('resend')}/_admin/emails", params=query)).json()["emails"]
        return sum({"name": "kind", "value": CONFIRMED} in mail["tags"] for mail in found)

    async def paid(self, booking_id: str) -> int:
        ledger = (await self.client.get(f"{self.url('polar')}/_admin/ledger")).json()["entries"]
        return sum(e["kind"] == "charge" and e["metadata"].get("booking_id") == booking_id for e in ledger)

    async def doctor(self, *arguments: str) -> tuple[int, list[dict[str, str]]]:
        """`courtside doctor --json`: exit code and findings."""
        installation = self.stack.installation
        environment = {port_variable(part): str(getattr(installation.ports, part)) for part in Ports.__slots__}
        environment |= {"COURTSIDE_TOPIC_PREFIX": installation.topic_prefix}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", "doctor", "--json", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert output, errors.decode()
        return process.returncode or 0, json.loads(output)

    async def settles(self) -> None:
        """Nothing waits and nothing is dead."""
        await until("that nothing is left to do", self._is_settled)

    async def _is_settled(self) -> bool:
        """The doctor finds nothing wrong with some records behind; here nobody brings new ones."""
        code, findings = await self.doctor()
        return code == 0 and all(one["said"].startswith("0 ") for one in findings if one["check"] == "lag")

    async def recovers(self) -> None:
        """And nobody is alarmed."""

        async def is_well() -> bool:
            return not await self.prometheus.firing() and await self._is_settled()

        await until("a clean bill of health", is_well)


async def until(what: str, happened: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not await happened():  # noqa: ASYNC110 - it is other processes that bring it about
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{what} did not come within {GIVE_UP_SECONDS} s")


@asynccontextmanager
async def raises_alarms(club: Observed, *alarms: tuple[str, str]) -> AsyncIterator[None]:
    """What is done in the block does it: whatever the last test left, none of these fires before. Each is a name and whom it is about."""
    silent_since = time.monotonic()

    async def are_silent() -> bool:
        nonlocal silent_since
        if await club.prometheus.firing() & set(alarms):
            silent_since = time.monotonic()
        return time.monotonic() - silent_since > NEWS_SECONDS

    await until(f"silence about {alarms}", are_silent)
    yield
    for alarm in alarms:

        async def fires(alarm: tuple[str, str] = alarm) -> bool:
            return alarm in await club.prometheus.firing()

        await until(f"the alarm {alarm}", fires)


@pytest.fixture(scope="package")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    async with receiving() as collector, _stack() as stack:
        await asyncio.gather(
            stack.install(), stack.start_standin("polar"), stack.start_standin("resend", **STANDIN_WITHOUT_LIMIT)
        )
        targets = {name: f"{HOST}:{getattr(stack.installation.ports, name)}" for name in SERVICES}
        place: Path = tmp_path_factory.mktemp("prometheus")
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"} | NO_PACE
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as client,
            watching(targets, place) as prometheus,
        ):
            system = Observed(stack, client, collector, prometheus, told, [])
            await asyncio.gather(*(system.start_again(service) for service in SERVICES))
            # The latest are taken first: `courtside demo` takes the soonest.
            system.slots.extend(
                (await free_slots(client, system.url("booking"), str(VENUE_ID), SLOTS, FIRST_DAY))[::-1]
            )
            yield system


@asynccontextmanager
async def _stack() -> AsyncIterator[TestStack]:
    """With a Kafka that may be killed."""
    stack = await TestStack.open()
    try:
        await asyncio.gather(stack.start_postgres(), stack.start_kafka())
        yield stack
    finally:
        await stack.close()
