"""A link carries bytes both ways, and does to them what the weather says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.environment import HOST
from tests.faults.links.proxy import FAIR, Link, Weather
from tests.ports import free_port

PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def echo_behind_a_link() -> AsyncIterator[Link]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while heard := await reader.read(65_536):
                writer.write(heard)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    try:
        async with Link("us→echo", server.sockets[0].getsockname()[1], free_port()).open() as link:
            yield link
    finally:
        server.close()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async with echo_behind_a_link() as link:
        yield link


class Caller:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, words: bytes) -> None:
        self.writer.write(words)
        await self.writer.drain()

    async def hear(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readexactly(count)

    async def is_reset(self) -> bool:
        """Whether the connection ends with RST: an orderly end is none."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                await self.reader.read()
            except ConnectionResetError:
                return True
        return False


@asynccontextmanager
async def calling(link: Link) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_connection(HOST, link.listens_on)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


async def connected(link: Link) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not link.connections:  # noqa: ASYNC110 - the link tells nobody
            await asyncio.sleep(0.01)


async def test_in_fair_weather_everything_passes(link: Link) -> None:
    said = bytes(range(256)) * 2_000
    async with calling(link) as caller:
        _, heard = await asyncio.gather(caller.say(said), caller.hear(len(said)))
    assert heard == said


async def test_a_link_that_is_reset_ends_all_its_connections_and_takes_new_ones(link: Link) -> None:
    async with calling(link) as caller:
        await connected(link)
        assert link.reset() == 1
        assert await caller.is_reset()
    async with calling(link) as again:
        await again.say(b"back")
        assert await again.hear(4) == b"back"


async def test_a_link_that_is_cut_ends_in_an_orderly_way(link: Link) -> None:
    async with calling(link) as caller:
        await connected(link)
        link.cut()
        assert not await caller.is_reset()


async def test_a_link_that_refuses_takes_no_connection(link: Link) -> None:
    link.become(Weather(refuses=True))
    async with calling(link) as caller:
        assert await caller.is_reset()
    assert not link.connections


async def test_a_slow_link_is_slow_in_both_directions(link: Link) -> None:
    link.become(Weather(delay_seconds=0.2))
    async with calling(link) as caller:
        began = time.monotonic()
        await caller.say(b"hello")
        await caller.hear(5)
        assert time.monotonic() - began >= 0.4


async def test_a_throttled_link_passes_so_many_bytes_in_a_second(link: Link) -> None:
    link.become(Weather(bytes_per_second=100_000))
    async with calling(link) as caller:
        began = time.monotonic()
        await asyncio.gather(caller.say(bytes(50_000)), caller.hear(50_000))
        assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize("direction", ["there", "back"])
async def test_what_is_said_into_a_black_hole_arrives_when_it_is_gone(link: Link, direction: str) -> None:
    link.become(Weather(deaf=frozenset({direction})))  # type: ignore[arg-type]  # a parameter is just a text
    async with calling(link) as caller:
        await caller.say(b"hello")
        await connected(link)
        hearing = asyncio.create_task(caller.hear(5))
        assert not (await asyncio.wait([hearing], timeout=0.3))[0]
        link.become(FAIR)
        assert await hearing == b"hello"


async def test_a_connection_is_reset_in_the_middle_of_a_message(link: Link) -> None:
    """The echo of it counts, too."""
    link.become(Weather(cuts_after_bytes=1_500))
    async with calling(link) as caller:
        await caller.say(bytes(1_000))
        assert await caller.hear(500) == bytes(500)
        assert await caller.is_reset()


async def test_what_was_asked_is_done_and_its_answer_lost() -> None:
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heard := await reader.read(100):
            if b"COMMIT" in heard:
                done.set()
            writer.write(b"done")
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with Link("us→database", server.sockets[0].getsockname()[1], free_port()).open() as link:
        link.become(Weather(loses_answers_to=b"COMMIT"))
        async with calling(link) as caller:
            await caller.say(b"SELECT 1")
            assert await caller.hear(4) == b"done"
            await caller.say(b"COMMIT")
            assert await caller.is_reset()
    assert done.is_set()
    server.close()


async def test_a_server_that_is_away_is_a_connection_that_is_reset() -> None:
    async with Link("us→nobody", free_port(), free_port()).open() as link, calling(link) as caller:
        assert await caller.is_reset()


@pytest.mark.parametrize(
    ("weather", "struck"),
    [
        (FAIR, 0),
        (Weather(delay_seconds=0.01), 2),
        (Weather(bytes_per_second=10_000), 2),
        (Weather(cuts_after_bytes=1_000), 0),
        (Weather(loses_answers_to=b"goodbye"), 0),
    ],
)
async def test_a_link_counts_what_the_weather_did_to_what_passed(link: Link, weather: Weather, struck: int) -> None:
    link.become(weather)
    async with calling(link) as caller:
        await caller.say(b"hello")
        await caller.hear(5)
    assert link.struck == struck


@pytest.mark.parametrize(
    "weather",
    [Weather(refuses=True), Weather(cuts_after_bytes=2), Weather(loses_answers_to=b"hello")],
    ids=["refuses", "cuts", "loses"],
)
async def test_a_connection_that_ended_by_the_weather_counts_as_one(link: Link, weather: Weather) -> None:
    link.become(weather)
    async with calling(link) as caller:
        await caller.say(b"hello")
        await caller.is_reset()
    assert link.struck == 1
