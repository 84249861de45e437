"""An HTTP endpoint inside the test: keeps what it is sent and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

from tests.ports import free_port


@dataclass
class Delivery:
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    port: int = field(default_factory=free_port)
    answer: Callable[[Delivery], int] = lambda _: 202
    received: list[Delivery] = field(default_factory=list)
    _answering: asyncio.Event = field(default_factory=asyncio.Event)
    _arrival: asyncio.Condition = field(default_factory=asyncio.Condition)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks"

    def __post_init__(self) -> None:
        self.go_on()

    def hold(self) -> None:
        """Nothing is answered until `go_on`."""
        self._answering.clear()

    def go_on(self) -> None:
        self._answering.set()

    async def until(self, condition: Callable[[list[Delivery]], bool], within_s: float = 60) -> list[Delivery]:
        """What has arrived, once the condition holds for it."""
        async with asyncio.timeout(within_s), self._arrival:
            await self._arrival.wait_for(lambda: condition(self.received))
        return list(self.received)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._answer_one(reader, writer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await task

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError), closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, _, value in lines}
            delivery = Delivery(headers, await reader.readexactly(int(headers["content-length"])))
            status = await self._keep(delivery)
            fields = f"location: {self.url}\r\ncontent-length: 0\r\nconnection: close"
            writer.write(f"HTTP/1.1 {status} Answered\r\n{fields}\r\n\r\n".encode())
            await writer.drain()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _keep(self, delivery: Delivery) -> int:
        async with self._arrival:
            self.received.append(delivery)
            self._arrival.notify_all()
        await self._answering.wait()
        return self.answer(delivery)


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", receiver.port)
    try:
        yield receiver
    finally:
        await _stop_accepting(server)
        server.close()
        await asyncio.gather(*receiver._under_way)


async def _stop_accepting(server: asyncio.Server) -> None:
    """A server that is closed between accepting a connection and handing it on leaves that connection open for ever, without a word.

    So first it takes no more of them, and those that it has taken get their turn of the loop.
    """
    for listener in server.sockets:
        server.get_loop().remove_reader(listener)
    await asyncio.sleep(0)
