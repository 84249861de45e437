"""Faults of Polar and Resend: bad answers, no answers, and webhooks that are lost, late, many, out of order or forged."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults.nemesis.storm import Details, Storm
from tests.faults.plan.plan import Fault

CALLS = {"polar": "/v1/*", "resend": "/emails*"}
STRUCK_CALLS = 3
SILENT_SECONDS = 5
"""Longer than the services wait."""
STRUCK_EVENTS = 5
GIVEN_SECONDS = 5.0
"""How long a fault that strikes so many times waits for what it strikes."""


async def fails(storm: Storm, fault: Fault) -> Details:
    """For a while every call does. What the provider did meanwhile is done."""
    action = fault.arguments["action"]
    more: Details = {"code": 500} if action == "status" else {}
    return await _struck(storm, fault, "faults", fault.arguments["seconds"], action=action, times="always", **more)


async def too_busy(storm: Storm, fault: Fault) -> Details:
    more: Details = {"action": "status", "code": 429, "retry_after_s": 1}
    return await _struck(storm, fault, "faults", fault.arguments["seconds"], times="always", **more)


async def silent_when_done(storm: Storm, fault: Fault) -> Details:
    """The worst one: it is done, and nobody says so."""
    action = fault.arguments["action"]
    more: Details = {"at_most_s": SILENT_SECONDS} if action == "accept_then_timeout" else {}
    return await _struck(
        storm, fault, "faults", GIVEN_SECONDS, method="POST", action=action, times=STRUCK_CALLS, **more
    )


async def slow(storm: Storm, fault: Fault) -> Details:
    action = fault.arguments["action"]
    more: Details = {"delay_ms": 1_500} if action == "delay" else {"pieces": 10, "delay_ms": 200}
    return await _struck(storm, fault, "faults", GIVEN_SECONDS, action=action, times=STRUCK_CALLS, **more)


async def webhooks_lost(storm: Storm, fault: Fault) -> Details:
    return await _struck(storm, fault, "webhook-faults", fault.arguments["seconds"], action="drop", times="always")


async def webhooks_multiplied(storm: Storm, fault: Fault) -> Details:
    return await _spoilt(storm, fault, action="duplicate", copies=fault.arguments["copies"])


async def webhooks_delayed(storm: Storm, fault: Fault) -> Details:
    return await _spoilt(storm, fault, action="delay", delay_s=fault.arguments["delay_s"])


async def webhooks_reordered(storm: Storm, fault: Fault) -> Details:
    return await _struck(
        storm, fault, "webhook-faults", GIVEN_SECONDS, action="reorder", next=STRUCK_EVENTS, order=fault.arguments["order"]
    )  # fmt: skip


async def webhooks_forged(storm: Storm, fault: Fault) -> Details:
    """The provider repeats them whole: it has no idea that we refused."""
    return await _spoilt(storm, fault, action=fault.arguments["action"])


async def webhooks_old(storm: Storm, fault: Fault) -> Details:
    """Signed rightly, long ago: as one that was written down by an eavesdropper."""
    return await _spoilt(storm, fault, action="old_timestamp", age_s=fault.arguments["age_s"])


async def _spoilt(storm: Storm, fault: Fault, **told: Any) -> Details:
    return await _struck(storm, fault, "webhook-faults", GIVEN_SECONDS, times=STRUCK_EVENTS, **told)


async def _struck(storm: Storm, fault: Fault, lever: str, seconds: float, **told: Any) -> Details:
    """For so long, or until it has struck as often as it should. What is told holds for calls, or for webhooks."""
    pull, standin = storm.system.pull, fault.target
    if lever == "faults":
        told = {"match": {"method": told.pop("method", "*"), "path": CALLS[standin]}, **told}
    number = (await pull(standin, lever, **told))["id"]
    await asyncio.sleep(seconds)
    listed = (await pull(standin, lever, "GET"))["faults"]
    fired = next((each["fired"] for each in listed if each["id"] == number), 0)
    await pull(standin, f"{lever}/{number}", "DELETE")
    return {"struck": fired}
