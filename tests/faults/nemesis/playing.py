"""Plays the faults of a plan, each at its point, and writes down what was really done."""

from __future__ import annotations

import asyncio
import json
from typing import TextIO

import httpx
from aiokafka.errors import KafkaError
from asyncpg import InterfaceError, PostgresError

from deploy.local.errors import Trouble
from tests.faults.clients.history import instant
from tests.faults.nemesis import links, processes, providers, records, servers
from tests.faults.nemesis.storm import Play, Storm
from tests.faults.plan.plan import LONGEST_FACTOR, Fault, Plan

AT_ONCE = 4
"""Two to four faults at a time are a storm; more are a ruin, and tell less."""

DYING = (
    "die_before_the_hold",
    "die_after_the_hold",
    "die_in_a_change",
    "relay_dies_after_sending",
    "relay_dies_before_its_commit",
    "die_before_the_offsets",
    "die_after_forwarding",
    "die_around_a_checkout",
    "die_around_a_refund",
)
PLAYS: dict[str, Play] = {
    **dict.fromkeys(DYING, processes.dies_at_a_point),
    "provider_fails": providers.fails,
    "provider_too_busy": providers.too_busy,
    "provider_silent_when_done": providers.silent_when_done,
    "provider_slow": providers.slow,
    "mailer_fails": providers.fails,
    "mailer_too_busy": providers.too_busy,
    "mailer_silent_when_done": providers.silent_when_done,
    **{
        play.__name__: play
        for play in (
            processes.kill,
            processes.freeze,
            processes.restart,
            processes.second_relay,
            processes.rebalance_storm,
            processes.kill_everything,
            processes.migrate_again,
            servers.connections_terminated,
            servers.postgres_crash,
            servers.postgres_restart,
            servers.connections_exhausted,
            servers.idle_in_transaction,
            servers.rows_locked,
            servers.broker_kill,
            servers.broker_stop,
            servers.broker_freeze,
            links.answer_of_commit_lost,
            links.answer_lost,
            links.link_cut,
            links.link_reset,
            links.link_delayed,
            links.link_throttled,
            links.link_deaf_one_way,
            links.link_cut_after_bytes,
            providers.webhooks_multiplied,
            providers.webhooks_reordered,
            providers.webhooks_delayed,
            providers.webhooks_forged,
            providers.webhooks_old,
            providers.webhooks_lost,
            records.offsets_reset,
            records.records_repeated,
            records.records_shuffled,
            records.poison,
            records.redrive,
        )
    },
}
"""By kind."""

OUT_OF_REACH = (Trouble, OSError, KafkaError, PostgresError, InterfaceError, httpx.HTTPError, TimeoutError)
"""What a fault meets when another fault has just taken away what it wanted to strike."""


async def play_all(storm: Storm, plan: Plan, log: TextIO) -> None:
    """A machine that is far too slow does not come to all of them."""
    places, last_second = asyncio.Semaphore(AT_ONCE), plan.minutes * 60 * LONGEST_FACTOR
    async with asyncio.TaskGroup() as playing:
        for fault in plan.faults:
            playing.create_task(_play(storm, fault, places, log, last_second))


async def _play(storm: Storm, fault: Fault, places: asyncio.Semaphore, log: TextIO, last_second: float) -> None:
    await storm.scene.history.until(fault.at)
    async with storm.holding(fault), places:
        if storm.scene.history.second > last_second:
            return
        told = {"kind": fault.kind, "row": fault.row, "target": fault.target, "at": instant()}
        try:
            details = await PLAYS[fault.kind](storm, fault)
        except OUT_OF_REACH as error:
            details = {"out_of_reach": f"{type(error).__name__}: {error}"[:300]}
        told |= {"ended_at": instant(), "details": details}
        log.write(json.dumps(told, ensure_ascii=False) + "\n")
        log.flush()
