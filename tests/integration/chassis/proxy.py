"""A way to a server that may fall silent: connections stay open, and no byte passes any more, as behind a firewall that forgot them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.local.environment import HOST

CHUNK_BYTES = 65_536


@dataclass
class Proxy:
    """To `port` of this machine."""

    port: int
    listens_on: int = 0
    silent: bool = False
    silences: int = 0
    in_vain: int = 0
    ways: set[asyncio.Task[Any]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> AsyncIterator[Proxy]:
        proxy = cls(port)
        server = await asyncio.start_server(proxy._take, HOST, 0)
        proxy.listens_on = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for way in proxy.ways:
                way.cancel()
            await asyncio.gather(*proxy.ways, return_exceptions=True)

    def fall_silent(self) -> None:
        """New connections are taken and hear nothing until the way is free again; those of before are never heard of again."""
        self.silent, self.silences = True, self.silences + 1

    def be_free(self) -> None:
        self.silent = False

    async def attempts_in_vain(self) -> int:
        return self.in_vain

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.ensure_future(self._hold(reader, writer))
        self.ways.add(way)
        way.add_done_callback(self.ways.discard)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.in_vain += self.silent
        made_before = self.silences if not self.silent else -1
        there, back = await asyncio.open_connection(HOST, self.port)
        try:
            await asyncio.gather(self._carry(reader, back, made_before), self._carry(there, writer, made_before))
        finally:
            writer.close()
            back.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, made_before: int) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                if made_before == self.silences:
                    writer.write(chunk)
        if made_before == self.silences:
            writer.close()
