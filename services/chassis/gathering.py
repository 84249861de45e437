"""What waits for the database together asks it together. With one client at a time each asks as before; the more there are, the fewer
statements each of them costs.

Whoever comes while something is under way waits for what begins after that, never for what began before: an answer is never older than
the question, and what a client wrote just before is in it.

An error holds the frames that it went through. With what they have of futures they would hold the error in turn, and all questions of its
batch, until the next collection of garbage: so they let go of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Question = TypeVar("Question", bound=Hashable)
Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Gathering(Generic[Ask, Answer]):
    """Different questions, one statement for all that wait. `together` answers them in their order; what it raises is raised to each."""

    def __init__(
        self,
        together: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]],
        apart: Callable[[Ask], Collection[Hashable]],
        most: int,
    ) -> None:
        """Questions that have something of `apart` in common are never asked together; `most` are asked at once."""
        self._together, self._apart, self._most = together, apart, most
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._working: asyncio.Task[None] | None = None

    async def answer(self, question: Ask) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work(), context=Context())
        try:
            return await future
        finally:
            del future

    async def _work(self) -> None:
        try:
            while batch := self._next_batch():
                futures = [future for _, future in batch]
                try:
                    answers = await self._together([question for question, _ in batch])
                except Exception as error:  # noqa: BLE001 - theirs who asked
                    _fail(futures, error)
                else:
                    _settle(futures, answers)
                futures.clear()
        finally:
            self._working = None

    def _next_batch(self) -> list[tuple[Ask, asyncio.Future[Answer]]]:
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        later: list[tuple[Ask, asyncio.Future[Answer]]] = []
        taken: set[Hashable] = set()
        for one in self._waiting:
            own = self._apart(one[0])
            if one[1].done():
                continue  # whoever asked has gone
            if len(batch) == self._most or not taken.isdisjoint(own):
                later.append(one)
            else:
                batch.append(one)
                taken.update(own)
        self._waiting = later
        return batch


class Sharing(Generic[Question, Answer]):
    """Equal questions, one answer for all that wait."""

    def __init__(self, ask: Callable[[Question], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._next: dict[Question, list[asyncio.Future[Answer]]] = {}
        self._working: dict[Question, asyncio.Task[None]] = {}

    async def answer(self, question: Question) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._next.setdefault(question, []).append(future)
        if question not in self._working:
            work = self._work(question)
            self._working[question] = asyncio.get_running_loop().create_task(work, context=Context())
        try:
            return await future
        finally:
            del future

    async def _work(self, question: Question) -> None:
        try:
            while futures := self._next.pop(question, None):
                try:
                    answer = await self._ask(question)
                except Exception as error:  # noqa: BLE001 - theirs who asked
                    _fail(futures, error)
                else:
                    _settle(futures, [answer] * len(futures))
                futures.clear()
        finally:
            del self._working[question]


def _settle(futures: Sequence[asyncio.Future[Answer]], answers: Sequence[Answer]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if not future.done():
            future.set_result(answer)


def _fail(futures: Sequence[asyncio.Future[Answer]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
