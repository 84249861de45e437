"""Faults of the network between two parts."""

from __future__ import annotations

import asyncio

from tests.faults.links.proxy import FAIR, Link, Weather
from tests.faults.nemesis.storm import Details, Storm
from tests.faults.plan.plan import Fault

LOSING_SECONDS = 1.0
"""So long each answer may be lost that is waited for."""


async def link_cut(storm: Storm, fault: Fault) -> Details:
    """All connections end in an orderly way, and none is made for a while."""
    before = _link(storm, fault).struck
    _link(storm, fault).cut()
    await _weather(storm, fault, Weather(refuses=True), fault.arguments["seconds"])
    return {"struck": _link(storm, fault).struck - before}


async def link_reset(storm: Storm, fault: Fault) -> Details:
    return {"struck": _link(storm, fault).reset()}


async def link_delayed(storm: Storm, fault: Fault) -> Details:
    weather = Weather(delay_seconds=fault.arguments["delay_seconds"])
    return await _weather(storm, fault, weather, fault.arguments["seconds"])


async def link_throttled(storm: Storm, fault: Fault) -> Details:
    weather = Weather(bytes_per_second=fault.arguments["bytes_per_second"])
    return await _weather(storm, fault, weather, fault.arguments["seconds"])


async def link_deaf_one_way(storm: Storm, fault: Fault) -> Details:
    """A black hole in one direction. Where the way also `forgets` all, as a firewall does, no connection of before outlives it."""
    weather = Weather(deaf=frozenset({fault.arguments["direction"]}))
    details = await _weather(storm, fault, weather, fault.arguments["seconds"])
    return details | {"forgotten": _link(storm, fault).reset() if fault.arguments["forgets"] == "all" else None}


async def link_cut_after_bytes(storm: Storm, fault: Fault) -> Details:
    """In the middle of a message, as a rule."""
    weather = Weather(cuts_after_bytes=fault.arguments["bytes"])
    return await _weather(storm, fault, weather, fault.arguments["seconds"])


async def answer_of_commit_lost(storm: Storm, fault: Fault) -> Details:
    """What was told to the database is done there, and we do not hear so. Told nothing in particular, it may be any statement."""
    return await _weather(storm, fault, Weather(loses_answers_to=fault.arguments["told"].encode()), LOSING_SECONDS)


async def answer_lost(storm: Storm, fault: Fault) -> Details:
    return await _weather(storm, fault, Weather(loses_answers_to=b""), LOSING_SECONDS)


async def _weather(storm: Storm, fault: Fault, weather: Weather, seconds: float) -> Details:
    link = _link(storm, fault)
    before = link.struck
    link.become(weather)
    try:
        await asyncio.sleep(seconds)
    finally:
        link.become(FAIR)
    return {"struck": link.struck - before}


def _link(storm: Storm, fault: Fault) -> Link:
    return storm.system.links[fault.target]
