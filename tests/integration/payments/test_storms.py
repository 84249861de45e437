"""Five hundred players on a bad line, and a service that is killed in the middle: each pays once, and gets all of it back once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from uuid import UUID

import pytest

from courtside_contracts.booking import BookingCancelled, RefundDue
from courtside_contracts.payment import PaymentRefunded, PaymentSucceeded
from deploy import tokens
from tests.integration.payments.builders import Player, player
from tests.integration.payments.conftest import NewDatabase, NewTopics
from tests.integration.payments.processes import PATIENTLY_SECONDS, WITHIN_SECONDS, Running, running_service
from tests.programs import REPOSITORY

PLAYERS = 500
CHECKOUTS, REFUNDS = "/v1/checkouts/", "/v1/refunds/"
AT_ONCE = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
async def running(
    new_database: NewDatabase, new_topics: NewTopics, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    kafka, prefix = await new_topics()
    folder = tmp_path_factory.mktemp("storms")
    told = {"POLAR_TIMEOUT_SECONDS": "1", "UNSETTLED_SECONDS": "2", "RECONCILE_EVERY_SECONDS": "2"}
    async with running_service(folder, await new_database("payments"), kafka, prefix, **told) as running:
        yield running


async def test_five_hundred_players_on_a_bad_line_are_charged_and_refunded_once_each(running: Running) -> None:
    """One POST in twenty is done and its answer reset, one in twenty is done and never answered. Killed twice on the way."""
    for path in (CHECKOUTS, REFUNDS):
        await running.standin.fail("accept_then_reset", "POST", path, probability=0.05, seed=1)
        await running.standin.fail("accept_then_timeout", "POST", path, probability=0.05, seed=2, at_most_s=5)
    players = [player() for _ in range(PLAYERS)]
    ids = [known.booking_id for known in players]
    await running.say([known.profile for known in players])
    await running.say([known.held for known in players])
    opened = "SELECT count(*) >= $1 FROM payment_attempts WHERE state <> 'creating'"
    await running.until(opened, PLAYERS // 4, within_seconds=PATIENTLY_SECONDS)
    await asyncio.to_thread(kill_and_start, running)
    await running.until(opened, PLAYERS, within_seconds=PATIENTLY_SECONDS)

    await all_pay(running, ids)
    await running.until("SELECT count(*) = $1 FROM orders", PLAYERS, within_seconds=PATIENTLY_SECONDS)
    ledger = await running.standin.ledger()
    assert (ledger["charges"], ledger["balance_minor"]) == (PLAYERS, PLAYERS * 2400)
    assert Counter(booking_of(entry) for entry in ledger["entries"]) == Counter(map(str, ids))
    assert len(await running.hear(PaymentSucceeded, set(ids))) == PLAYERS

    await running.say([await cancelled(running, known) for known in players])
    given_back = "SELECT count(*) >= $1 FROM refunds WHERE state = 'succeeded'"
    await running.until(given_back, PLAYERS // 4, within_seconds=PATIENTLY_SECONDS)
    await asyncio.to_thread(kill_and_start, running)
    await running.until(given_back, PLAYERS, within_seconds=PATIENTLY_SECONDS)
    ledger = await running.standin.ledger()
    assert (ledger["charges"], ledger["refunds"], ledger["balance_minor"]) == (PLAYERS, PLAYERS, 0)
    refunded = await running.hear(PaymentRefunded, set(ids))
    assert len({event.refund_id for event in refunded}) == PLAYERS
    assert await running.ask("SELECT count(*) FROM dead_letters") == 0
    struck = (await running.standin.pull("faults", "GET"))["faults"]
    await running.standin.pull("faults", "DELETE")
    assert all(fault["fired"] >= PLAYERS // 50 for fault in struck), struck


OPENED = "SELECT count(*) = 1 FROM payment_attempts WHERE booking_id = $1 AND state = 'open'"
REFUNDED = "SELECT count(*) = 1 FROM refunds WHERE booking_id = $1 AND state = 'succeeded'"


POINTS_OF_A_PAGE = ("checkout.made", "checkout.shown")
POINTS_OF_A_REFUND = ("refund.begun", "refund.made", "refund.recorded")
POINTS_OF_A_PAYMENT = (*POINTS_OF_A_PAGE, *POINTS_OF_A_REFUND)
"""Before and after Polar was asked, and after our commit: the answer to whoever waits for it is lost each time."""


@pytest.mark.parametrize("point", [*POINTS_OF_A_PAYMENT, "relay.sent"])
async def test_a_service_that_dies_on_its_way_charges_and_refunds_once(running: Running, point: str) -> None:
    known = player()
    await stopped_while(running, running.say([known.profile, known.held]))
    if point not in POINTS_OF_A_REFUND:
        assert await dies(running, point)
    await asyncio.to_thread(running.program.start)
    await running.until(OPENED, known.booking_id)
    await running.pay(known.booking_id)
    await running.until("SELECT count(*) = 1 FROM orders WHERE booking_id = $1", known.booking_id)
    await stopped_while(running, running.say([await cancelled(running, known)]))
    if point not in POINTS_OF_A_PAGE:
        assert await dies(running, point)
    await asyncio.to_thread(running.program.start)
    await running.until(REFUNDED, known.booking_id)

    ledger = await running.standin.ledger(known.booking_id)
    assert (ledger["charges"], ledger["refunds"], ledger["balance_minor"]) == (1, 1, 0)
    assert len({event.refund_id for event in await running.hear(PaymentRefunded, {known.booking_id})}) == 1


async def test_an_operator_compares_with_polar_by_a_command(running: Running) -> None:
    """All webhooks of one payment are dropped: the command finds it, and says that nothing is left."""
    known = player()
    await running.say([known.profile, known.held])
    await running.until(
        "SELECT count(*) = 1 FROM payment_attempts WHERE booking_id = $1 AND state = 'open'", known.booking_id
    )
    match = {"contains": str(known.booking_id)}
    await running.standin.pull("webhook-faults", match=match, action="drop", times="always")
    await running.pay(known.booking_id)
    ended = await asyncio.to_thread(courtside, running, "payments", "reconcile")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Seen: " in ended.stdout
    assert await running.ask("SELECT count(*) FROM orders WHERE booking_id = $1", known.booking_id) == 1
    assert len(await running.hear(PaymentSucceeded, {known.booking_id})) == 1

    ended = await asyncio.to_thread(courtside, running, "payments", "reconcile", "--since", "2001-01-01")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    compared_from = "SELECT min(since) FROM reconciliations WHERE actor <> 'reconciler'"
    assert (await running.ask(compared_from)).year in (2000, 2001), "midnight of this machine"


async def all_pay(running: Running, booking_ids: list[UUID]) -> None:
    pages = await running.ask(
        "SELECT array_agg(checkout_id) FROM payment_attempts WHERE booking_id = ANY($1)", booking_ids
    )
    places = asyncio.Semaphore(AT_ONCE)

    async def pay(checkout_id: str) -> None:
        async with places:
            await running.standin.pay(checkout_id)

    await asyncio.gather(*map(pay, pages))


async def cancelled(running: Running, known: Player) -> BookingCancelled:
    """As booking tells it: what was paid is owed."""
    found = "SELECT polar_order_id FROM orders WHERE booking_id = $1"
    due = RefundDue(
        order_id=await running.ask(found, known.booking_id), amount_minor=2400, reason="cancelled_by_player"
    )
    changed = {"version": 3, "status": "cancelled", "hold_expires_at": None, "refunds_due": (due,)}
    return BookingCancelled(**known.held.model_dump() | changed, cancelled_by="player")


def booking_of(entry: dict[str, Any]) -> str:
    return str(entry["metadata"]["booking_id"])


def kill_and_start(running: Running) -> None:
    running.program.kill()
    running.program.start()


async def stopped_while(running: Running, saying: Coroutine[Any, Any, None]) -> None:
    """What is said then waits for the process that is to die of it."""
    await asyncio.to_thread(running.program.stop)
    await saying


async def dies(running: Running, point: str) -> bool:
    """Whether a process that is to die there does."""
    child = running.started(COURTSIDE_CRASH_AT=point)
    try:
        await asyncio.to_thread(child.wait, WITHIN_SECONDS)
    finally:
        child.kill()
        child.wait(WITHIN_SECONDS)
    return child.returncode == -signal.SIGKILL


def courtside(running: Running, *words: str) -> subprocess.CompletedProcess[str]:
    token = tokens.mint(running.keys, "marta@club.test", "Marta", tokens.Role.ADMIN)
    command = [sys.executable, "-m", "deploy.cli", *words, "--url", running.url, "--token", token]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ, capture_output=True, text=True, timeout=120, check=False
    )
