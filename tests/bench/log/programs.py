"""A small program of the bench as a process of its own: told on stdin when to begin, answering by lines on stdout."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.programs import REPOSITORY

ANSWERED_WITHIN_SECONDS = 900.0
LINE_MAX_BYTES = 64 * 1_048_576
"""Of an answer: some thousand measured times."""


@dataclass(frozen=True)
class Program:
    name: str
    process: Process

    async def tell(self, line: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def answer(self) -> str:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), ANSWERED_WITHIN_SECONDS)
        assert line, f"{self.name} ended"
        return line.decode().strip()


@asynccontextmanager
async def program(name: str, *arguments: str, **environment: str) -> AsyncIterator[Program]:
    """`python -m tests.bench.log.<name> …`, once it has said that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.bench.log.{name}", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_MAX_BYTES,
    )
    started = Program(name, process)
    try:
        assert await started.answer() == "ready"
        yield started
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
