"""HTTP clients of a benchmark, as a process of their own: `python -m tests.bench.clients PLAN`.

HTTP/1.1 over bare uvloop, since a client library would take as much of the two cores as the service that is measured. Each client has a
connection that it keeps, an address of its own on the loopback network, and sends its next request when the last one is answered.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
BODILESS = (204, 304)


class Client(asyncio.Protocol):
    """One of those that take from the same `requests` until there are none left, or until `stops_at`."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, float]] = []
        """Status and seconds of each request."""
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def begin(self, requests: Iterator[bytes], stops_at: float) -> asyncio.Future[None]:
        self._requests, self._stops_at = requests, stops_at
        self._done = asyncio.get_running_loop().create_future()
        self._send()
        return self._done

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        status = int(self._buffer[9:12])
        length = LENGTH.search(self._buffer, 0, end)
        if len(self._buffer) < end + 4 + (int(length[1]) if length and status not in BODILESS else 0):
            return
        self._buffer = b""
        self.answers.append((status, time.perf_counter() - self._asked))
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the service hung up"))

    def _send(self) -> None:
        self._asked = time.perf_counter()
        request = next(self._requests, None) if self._asked < self._stops_at else None
        if request is None:
            self._done.set_result(None)
        else:
            self._transport.write(request)


async def run(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Wave by wave: each begins when all of the one before are answered."""
    loop, clients = asyncio.get_running_loop(), []
    for number in range(plan["clients"]):
        address = (f"127.0.0.{2 + number % 250}", 0)
        _, client = await loop.create_connection(Client, plan["host"], plan["port"], local_addr=address)
        clients.append(client)
    return [await _wave(clients, wave, plan) for wave in plan["waves"]]


async def _wave(clients: list[Client], wave: list[str], plan: dict[str, Any]) -> dict[str, Any]:
    told = [request.encode() for request in wave]
    requests = cycle(told) if plan["again"] else iter(told)
    for client in clients:
        client.answers.clear()
    began = time.perf_counter()
    await asyncio.gather(*(client.begin(requests, began + plan["seconds"]) for client in clients))
    seconds = time.perf_counter() - began
    answers = [answer for client in clients for answer in client.answers]
    return {
        "seconds": seconds,
        "statuses": Counter(status for status, _ in answers),
        "latencies_ms": [round(took * 1000, 3) for _, took in answers],
        "exhausted": next(requests, None) is None,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(run(json.loads(Path(sys.argv[1]).read_bytes())))))
