"""Whose turn it is: of all that is going on, one thing moves at a time, and it gives the turn back at its next checkpoint.

Checkpoints lie before each transaction, before and after each call to a provider, before each record that is sent, and before each commit
of offsets: never inside a transaction that may make another one wait. So nothing ever waits for a lock, and a run is the same each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field


class Killed(BaseException):
    """The process is gone, as after `kill -9`. No handler of errors may stop it, as none could stop the signal."""


@dataclass(eq=False)
class Process:
    """What dies together. `doom` is the crash point at which it dies, and how many passes it has left until then."""

    name: str
    alive: bool = True
    doom: tuple[str, int] | None = None

    def reach(self, point: str) -> None:
        if self.doom and self.doom[0] == point:
            self.doom = (point, self.doom[1] - 1)
            if self.doom[1] <= 0:
                self.alive = False
        if not self.alive:
            raise Killed


@dataclass(eq=False)
class Actor:
    """Something that is going on in a process: a request, a pass of the relay, a batch of records, a job of the clock."""

    name: str
    process: Process
    at: str = "start"
    task: asyncio.Task[None] = field(init=False)
    waits: asyncio.Future[None] | None = None
    rests: asyncio.Future[None] | None = None

    @property
    def done(self) -> bool:
        return self.task.done()


_current: ContextVar[Actor | None] = ContextVar("actor", default=None)


@dataclass
class Turns:
    """`note` is told of each turn: the trace of a run."""

    note: Callable[[str], None]
    actors: list[Actor] = field(default_factory=list)

    def begin(self, name: str, process: Process, work: Callable[[], Awaitable[None]]) -> Actor:
        """It stands at its first checkpoint, and has done nothing yet."""
        actor = Actor(name, process)
        context = copy_context()
        context.run(_current.set, actor)

        async def run() -> None:
            await checkpoint("begin")
            await work()

        actor.rests = asyncio.get_running_loop().create_future()
        actor.task = asyncio.get_running_loop().create_task(run(), context=context)
        actor.task.add_done_callback(lambda _: _settle(actor))
        self.actors.append(actor)
        return actor

    async def give(self, actor: Actor, turns: int) -> None:
        """So many turns, or until it has ended. Raises what it raised, unless its process is gone."""
        await _until_it_rests(actor)
        while turns > 0 and not actor.done and actor.process.alive:
            self.note(f"{actor.process.name}: {actor.name}: {actor.at}")
            await _go_on(actor, None)
            turns -= 1
        if not actor.process.alive:
            await self.bury(actor.process)
        self._let_go(actor)

    async def bury(self, process: Process) -> None:
        """All that is going on in it ends where it stands; its transactions are rolled back."""
        process.alive = False
        for actor in [one for one in self.actors if one.process is process]:
            await _until_it_rests(actor)
            while not actor.done:
                await _go_on(actor, Killed())
            self._let_go(actor)

    async def bury_all(self) -> None:
        """Also those whose process has been replaced, and whatever they may say to it."""
        for actor in list(self.actors):
            with suppress(Exception):
                await self.bury(actor.process)
        self.actors.clear()

    def going_on(self) -> Iterator[Actor]:
        return (actor for actor in self.actors if not actor.done)

    def _let_go(self, actor: Actor) -> None:
        if actor.done and actor in self.actors:
            self.actors.remove(actor)
            error = actor.task.exception()
            if error is not None and not isinstance(error, Killed):
                raise error


async def checkpoint(at: str) -> None:
    """The turn goes back, and comes again in a while. Outside of any actor there is nothing to wait for."""
    actor = _current.get()
    if actor is None:
        return
    if not actor.process.alive:
        raise Killed
    actor.at, actor.waits = at, asyncio.get_running_loop().create_future()
    _settle(actor)
    await actor.waits


def reach(point: str) -> None:
    """In the place of the product's own."""
    actor = _current.get()
    if actor is not None:
        actor.process.reach(point)


async def _go_on(actor: Actor, error: BaseException | None) -> None:
    waits, actor.waits = actor.waits, None
    assert waits is not None, f"{actor.name} stands at no checkpoint"
    actor.rests = asyncio.get_running_loop().create_future()
    if error:
        waits.set_exception(error)
    else:
        waits.set_result(None)
    await _until_it_rests(actor)


async def _until_it_rests(actor: Actor) -> None:
    if actor.rests is not None:
        await actor.rests


def _settle(actor: Actor) -> None:
    if actor.rests is not None and not actor.rests.done():
        actor.rests.set_result(None)
