"""`courtside dead-letters`, as an operator types it, against the running system."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from courtside_contracts.envelope import Envelope
from courtside_contracts.payment import PaymentSucceeded
from deploy.local.environment import Ports, port_variable
from tests.e2e.conftest import System

pytestmark = pytest.mark.slow  # each word of the command is a process of its own, and a redrive waits for its tier

GIVE_UP_SECONDS = 60
BECAUSE = ("--reason", "a sender's test")


async def desk(system: System, *arguments: str) -> tuple[int, str, str]:
    """`courtside dead-letters …`: exit code, output, errors."""
    installation = system.stack.installation
    environment = {port_variable(part): str(getattr(installation.ports, part)) for part in Ports.__slots__}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.cli",
        "dead-letters",
        *arguments,
        env=environment | {"COURTSIDE_HOME": str(installation.paths.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def answered(system: System, *arguments: str) -> dict[str, Any]:
    code, output, errors = await desk(system, *arguments)
    assert code == 0, errors
    told: dict[str, Any] = json.loads(output)
    return told


async def until(
    system: System, enough: Callable[[list[dict[str, Any]]], bool], *arguments: str
) -> list[dict[str, Any]]:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        found: list[dict[str, Any]] = (await answered(system, *arguments))["items"]
        while not enough(found):
            found = (await answered(system, *arguments))["items"]
    return found


async def poison(system: System, key: str) -> None:
    """Half a payment, for booking."""
    envelope = Envelope(str(uuid4()), PaymentSucceeded.type, PaymentSucceeded.source, datetime.now(UTC), key)
    topic = system.stack.installation.topic_prefix + PaymentSucceeded.topic
    async with AIOKafkaProducer(bootstrap_servers=system.stack.bootstrap) as producer:
        headers = [*envelope.headers(), ("x-strange", b"\xff\xfe")]
        await producer.send_and_wait(topic, b'{"booking_id": ', key=key.encode(), headers=headers)


async def test_an_operator_finds_redrives_and_discards_a_dead_letter(system: System) -> None:
    key = str(uuid4())
    await poison(system, key)
    listed = ("list", "-s", "booking", "--key", key, "--json")
    (letter,) = await until(system, bool, *listed)
    (group,) = (await answered(system, "groups", "-s", "booking", "--key", key, "--json"))["items"]
    assert (group["type"], group["count"]) == (PaymentSucceeded.type, 1)
    shown = await answered(system, "show", letter["id"], "-s", "booking")
    assert shown["value"] == {"encoding": "text", "data": '{"booking_id": '}
    assert {"name": "x-strange", "encoding": "base64", "data": "//4="} in shown["headers"]
    redriven = await answered(system, "redrive", letter["id"], "-s", "booking", *BECAUSE, "--json")
    assert redriven["state"] == "redriven"
    (again,) = await until(system, bool, *listed)
    assert again["predecessor_id"] == letter["id"]
    code, output, _ = await desk(system, "discard", again["id"], "-s", "booking", *BECAUSE)
    assert (code, output.strip()) == (0, f"{again['id']} is discarded.")
    code, _, errors = await desk(system, "reopen", again["id"], "-s", "booking", *BECAUSE)
    assert (code, errors) == (2, "courtside: This dead letter is discarded. (dead-letter-not-redriven)\n")


async def test_what_the_desk_refuses_is_one_line_and_exit_code_2(system: System) -> None:
    for service in ("booking", "payments", "notifications"):
        code, _, errors = await desk(system, "show", str(uuid4()), "-s", service)
        assert (code, len(errors.splitlines())) == (2, 1)
        assert "(dead-letter-not-found)" in errors
    code, _, errors = await desk(system, "redrive", "-s", "booking", *BECAUSE)
    assert (code, errors) == (2, "courtside: say which: the id of one letter, or filters of a group, or --all\n")
    code, _, errors = await desk(system, "list", "-s", "booking", "--token", "nobody's")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "(token-not-valid)" in errors
