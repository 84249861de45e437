"""A TCP proxy on one link between two parts, which can be disturbed while bytes flow: cut, reset, slow, one-way deaf, forgetful."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from deploy.local.environment import HOST

CHUNK_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: to close is to send RST."""

Direction = Literal["there", "back"]


@dataclass(frozen=True)
class Weather:
    """What becomes of bytes on a link. As it is made here, they pass."""

    delay_seconds: float = 0.0
    """For each chunk, in each direction."""
    bytes_per_second: int = 0
    """In each direction of each connection; 0 is as fast as can be."""
    deaf: frozenset[Direction] = frozenset()
    """Bytes in these directions are held until the weather changes, as packets are that get lost and are sent again."""
    refuses: bool = False
    """A new connection is reset at once."""
    cuts_after_bytes: int | None = None
    """A connection is reset once so many more bytes have passed, in both directions together, perhaps in the middle of a message."""
    loses_answers_to: bytes | None = None
    """The next thing said that holds this gets through, and its answer does not: the connection is reset instead."""


FAIR = Weather()


@dataclass(eq=False)
class Connection:
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    passed_bytes: int = 0
    loses_answer: bool = False

    def reset(self) -> None:
        for writer in (self.near, self.far):
            tcp = writer.get_extra_info("socket")
            with contextlib.suppress(OSError, AttributeError, ValueError):  # there is no socket any more
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    def close(self) -> None:
        self.near.close()
        self.far.close()


@dataclass(eq=False)
class Link:
    """From whoever connects to `port` of this machine. `name` says who that is, and what is there: `booking-api→postgres`."""

    name: str
    port: int
    listens_on: int
    weather: Weather = FAIR
    connections: set[Connection] = field(default_factory=set)
    struck: int = 0
    """Bytes that the weather held, slowed, cut short or lost, by chunks, and connections that were refused or ended."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ways: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        server = await asyncio.start_server(self._take, HOST, self.listens_on)
        try:
            yield self
        finally:
            server.close()
            for way in self._ways:
                way.cancel()
            await asyncio.gather(*self._ways, return_exceptions=True)

    def become(self, weather: Weather) -> None:
        """From now on, for connections that there are and those to come."""
        self.weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        for connection in self.connections:
            connection.passed_bytes, connection.loses_answer = 0, False

    def reset(self) -> int:
        """RST for all connections that there are. How many."""
        ended = list(self.connections)
        for connection in ended:
            connection.reset()
        self.struck += len(ended)
        return len(ended)

    def cut(self) -> int:
        """An orderly end of all connections, in the middle of what is said. How many."""
        ended = list(self.connections)
        for connection in ended:
            connection.close()
        self.struck += len(ended)
        return len(ended)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.ensure_future(self._carry(reader, writer))
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)

    async def _carry(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            if self.weather.refuses:
                self.struck += 1
                raise ConnectionRefusedError
            answers, far = await asyncio.open_connection(HOST, self.port)
        except OSError:
            Connection(near, near).reset()
            return
        connection = Connection(near, far)
        self.connections.add(connection)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(connection, "there", reader, far))
                pumps.create_task(self._pump(connection, "back", answers, near))
        except* OSError:
            connection.reset()
        finally:
            self.connections.discard(connection)
            connection.close()

    async def _pump(
        self, connection: Connection, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            arriving = await self._weathered(connection, direction, chunk)
            if writer.is_closing():
                raise ConnectionResetError
            writer.write(arriving)
            await writer.drain()
            if len(arriving) < len(chunk):
                raise ConnectionResetError
        await self._until_heard(direction)
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()

    async def _weathered(self, connection: Connection, direction: Direction, chunk: bytes) -> bytes:
        """What of the chunk arrives, when its time has come. Raises `ConnectionResetError` when it is an answer to be lost."""
        await self._until_heard(direction)
        weather = self.weather
        self._lose_answer(connection, direction, chunk)
        slow_seconds = len(chunk) / weather.bytes_per_second if weather.bytes_per_second else 0.0
        if pause := weather.delay_seconds + slow_seconds:
            self.struck += 1
            await asyncio.sleep(pause)
        left = None if weather.cuts_after_bytes is None else max(0, weather.cuts_after_bytes - connection.passed_bytes)
        connection.passed_bytes += len(chunk)
        self.struck += left is not None and left < len(chunk)
        return chunk[:left]

    async def _until_heard(self, direction: Direction) -> None:
        self.struck += direction in self.weather.deaf
        while direction in self.weather.deaf:
            await self._changed.wait()

    def _lose_answer(self, connection: Connection, direction: Direction, chunk: bytes) -> None:
        wanted = self.weather.loses_answers_to
        if direction == "back" and connection.loses_answer:
            self.struck += 1
            raise ConnectionResetError
        if direction == "there" and wanted is not None and wanted in chunk:
            connection.loses_answer = True
