"""`courtside events tail`, as typed: a process of its own, on the real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from courtside_contracts.booking import BookingConfirmed, BookingHeld
from courtside_contracts.envelope import Event
from courtside_contracts.examples import envelope, example
from courtside_contracts.payment import PaymentSucceeded
from courtside_contracts.topics import BOOKING_EVENTS, PAYMENT_EVENTS
from deploy.local.environment import HOST
from tests.ports import free_port
from tests.stack import TestStack

pytestmark = pytest.mark.slow

BOOKING_ID = example(BookingHeld).key

AS_TYPED = """
import signal
from deploy.cli import app

signal.signal(signal.SIGINT, signal.default_int_handler)
app()
"""
"""A shell that runs the tests in its background has its children ignore Ctrl-C."""


@dataclass(frozen=True)
class Desk:
    """Where somebody types, and a producer that writes whatever it is told to."""

    environment: dict[str, str]
    prefix: str
    producer: AIOKafkaProducer

    async def tail(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", AS_TYPED, "events", "tail", *arguments),
            env={**os.environ, **self.environment, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def tailed(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a tail that ends by itself."""
        process = await self.tail(*arguments, **environment)
        output, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    async def publish(self, event: Event) -> None:
        await self.send(event.topic, event.value(), event.key.encode(), list(envelope(event).headers()))

    async def send(self, topic: str, value: bytes | None, key: bytes | None, headers: list[Any]) -> None:
        """Into one partition, which has an order."""
        await self.producer.send_and_wait(self.prefix + topic, value, key=key, headers=headers, partition=0)


@pytest.fixture
async def desk(stack: TestStack, new_topics: Callable[[], Awaitable[tuple[str, str]]]) -> AsyncIterator[Desk]:
    bootstrap, prefix = await new_topics()
    told = {
        "COURTSIDE_KAFKA_PORT": str(stack.installation.ports.kafka),
        "COURTSIDE_TOPIC_PREFIX": prefix,
        "COLUMNS": "300",
    }
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        yield Desk(told, prefix, producer)


async def test_what_is_there_already_is_shown_in_order(desk: Desk) -> None:
    for kind in (BookingHeld, BookingConfirmed):
        await desk.publish(example(kind))
    code, output, errors = await desk.tailed("--from-beginning", "--limit", "2", "--json")
    assert (code, errors) == (0, "")
    held, confirmed = (json.loads(line) for line in output.splitlines())
    assert (held["type"], confirmed["type"]) == ("booking.held.v1", "booking.confirmed.v1")
    assert (held["topic"], held["partition"], held["offset"]) == (BOOKING_EVENTS.name, 0, 0)
    assert held["key"] == BOOKING_ID
    assert held["data"] == json.loads(example(BookingHeld).value())


async def test_one_topic_and_one_booking_may_be_asked_for(desk: Desk) -> None:
    await desk.publish(example(BookingHeld))
    await desk.send(PAYMENT_EVENTS.name, b"{}", b"another booking", [])
    await desk.publish(example(PaymentSucceeded))
    asked = ("--topic", PAYMENT_EVENTS.name, "--booking", BOOKING_ID)
    code, output, _ = await desk.tailed("--from-beginning", "--limit", "1", "--json", *asked)
    assert code == 0
    assert json.loads(output)["type"] == "payment.succeeded.v1"


async def test_what_is_no_event_is_shown_too_and_cannot_drive_the_terminal(desk: Desk) -> None:
    await desk.send(BOOKING_EVENTS.name, b"\x1b[2Jnot \xff JSON", None, [])
    await desk.send(BOOKING_EVENTS.name, None, b"\xfe", [("ce_type", b"\xff"), ("ce_id", None)])
    await desk.send(BOOKING_EVENTS.name, b'{"a": "\\u001b[31m[bold]"}', b"k", [("ce_id", b"1"), ("ce_id", b"2")])
    await desk.publish(example(BookingHeld))
    code, output, errors = await desk.tailed("--from-beginning", "--limit", "4")
    assert (code, errors) == (0, "")
    first, second, third, last = output.splitlines()
    assert "\x1b" not in output
    assert r"\x1b[2Jnot \xff JSON" in first
    assert r"\xfe" in second
    assert "null" in second
    assert "[bold]" in third
    assert all("no CloudEvent" in line for line in (first, second, third))
    assert "booking.held.v1" in last


NOT_UTF8 = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Raw(str):
    def encode(self, *_):
        return b"\\xff"

async def main():
    async with AIOKafkaProducer(bootstrap_servers=sys.argv[1]) as producer:
        await producer.send_and_wait(sys.argv[2], b"unseen", key=b"k", headers=[(Raw("x"), b"")], partition=0)

asyncio.run(main())
"""
"""aiokafka's own producer writes no such header, so it is talked into it, without its compiled parts."""


async def test_a_record_that_the_client_cannot_decode_hides_none_of_its_neighbours(desk: Desk) -> None:
    await desk.publish(example(BookingHeld))
    bootstrap = f"{HOST}:{desk.environment['COURTSIDE_KAFKA_PORT']}"
    writing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NOT_UTF8, bootstrap, desk.prefix + BOOKING_EVENTS.name),
        env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"},
    )
    assert await writing.wait() == 0
    await desk.publish(example(BookingConfirmed))
    code, output, errors = await desk.tailed("--from-beginning", "--limit", "3", "--json")
    assert (code, errors) == (0, "")
    shown = sorted((json.loads(line) for line in output.splitlines()), key=lambda each: each["offset"])
    assert [each["type"] for each in shown] == ["booking.held.v1", "", "booking.confirmed.v1"]
    assert "not UTF-8" in shown[1]["data"]


async def test_it_goes_on_with_what_comes_and_ends_with_ctrl_c(desk: Desk) -> None:
    await desk.publish(example(BookingHeld))
    process = await desk.tail("--json")
    assert process.stdout
    line = asyncio.create_task(process.stdout.readline())
    while not line.done():  # it says nothing of when it begins to listen
        await desk.publish(example(BookingConfirmed))
        await asyncio.wait([line], timeout=0.2)
    assert json.loads(line.result())["type"] == "booking.confirmed.v1"
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_an_unknown_topic_is_one_line(desk: Desk) -> None:
    code, output, errors = await desk.tailed("--topic", "booking.evnts")
    assert (code, output) == (2, "")
    [line] = errors.splitlines()
    assert "there is no topic" in line
    assert "booking.evnts" in line
    assert desk.prefix + BOOKING_EVENTS.name in line


async def test_a_broker_that_is_away_is_one_line(desk: Desk) -> None:
    port = free_port()
    code, output, errors = await desk.tailed(COURTSIDE_KAFKA_PORT=str(port))
    assert (code, output) == (1, "")
    [line] = errors.splitlines()
    assert f"no broker at {HOST}:{port}" in line
