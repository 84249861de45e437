"""Many players ask at the same moment: who is asked together, who waits, and that nobody gets an answer from before their question."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from services.chassis.gathering import Gathering, Sharing


class Desk:
    """Answers when it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Semaphore(0)

    async def together(self, questions: Sequence[str]) -> Sequence[str]:
        self.asked.append(list(questions))
        await self.open.acquire()
        return [f"{question}!" for question in questions]

    async def one(self, question: str) -> int:
        """How often it was asked up to now."""
        self.asked.append([question])
        await self.open.acquire()
        return len(self.asked)


async def until_asked(desk: Desk, times: int) -> None:
    async with asyncio.timeout(30):
        while len(desk.asked) < times:  # noqa: ASYNC110 - the desk is of this test
            await asyncio.sleep(0)


def letters(question: str) -> set[str]:
    return set(question)


async def test_whoever_comes_meanwhile_is_asked_together_next() -> None:
    desk = Desk()
    gathering = Gathering(desk.together, letters, most=10)
    first = asyncio.create_task(gathering.answer("a"))
    await until_asked(desk, 1)
    others = [asyncio.create_task(gathering.answer(name)) for name in "bcd"]
    desk.open.release()
    assert await first == "a!"
    desk.open.release()
    assert await asyncio.gather(*others) == ["b!", "c!", "d!"]
    assert desk.asked == [["a"], ["b", "c", "d"]]


async def test_two_hits_on_one_bucket_are_never_in_one_statement_and_nobody_waits_behind_them() -> None:
    desk = Desk()
    gathering = Gathering(desk.together, letters, most=10)
    waiting = [asyncio.create_task(gathering.answer(name)) for name in ("ab", "bc", "d")]
    for _ in range(2):
        desk.open.release()
    assert await asyncio.gather(*waiting) == ["ab!", "bc!", "d!"]
    assert desk.asked == [["ab", "d"], ["bc"]]


async def test_no_statement_is_larger_than_allowed() -> None:
    desk = Desk()
    gathering = Gathering(desk.together, letters, most=2)
    waiting = [asyncio.create_task(gathering.answer(name)) for name in "abcde"]
    for _ in range(3):
        desk.open.release()
    await asyncio.gather(*waiting)
    assert desk.asked == [["a", "b"], ["c", "d"], ["e"]]


async def test_a_failure_is_everybodys_who_asked_and_nobody_elses() -> None:
    calls = 0

    async def fail_once(questions: Sequence[str]) -> Sequence[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("the database is away")
        return questions

    gathering = Gathering(fail_once, letters, most=10)
    lost = await asyncio.gather(gathering.answer("a"), gathering.answer("b"), return_exceptions=True)
    assert [type(one) for one in lost] == [ConnectionError, ConnectionError]
    assert await gathering.answer("a") == "a"


async def test_a_client_that_hangs_up_takes_nobody_with_it() -> None:
    desk = Desk()
    gathering, sharing = Gathering(desk.together, letters, most=10), Sharing(desk.one)
    gone = [asyncio.create_task(gathering.answer("a")), asyncio.create_task(sharing.answer("a"))]
    stays = [asyncio.create_task(gathering.answer("b")), asyncio.create_task(sharing.answer("a"))]
    await until_asked(desk, 2)
    for task in gone:
        task.cancel()
    for _ in range(2):
        desk.open.release()
    assert await asyncio.gather(*stays) == ["b!", 2]
    for task in gone:
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_answer_is_never_older_than_its_question() -> None:
    desk = Desk()
    sharing = Sharing(desk.one)
    first = asyncio.create_task(sharing.answer("today"))
    await until_asked(desk, 1)
    late = [asyncio.create_task(sharing.answer("today")) for _ in range(3)]
    desk.open.release()
    assert await first == 1
    desk.open.release()
    assert await asyncio.gather(*late) == [2, 2, 2]


async def test_another_question_does_not_wait() -> None:
    desk = Desk()
    sharing = Sharing(desk.one)
    both = [asyncio.create_task(sharing.answer(day)) for day in ("today", "tomorrow")]
    await until_asked(desk, 2)
    for _ in range(2):
        desk.open.release()
    assert sorted(await asyncio.gather(*both)) == [2, 2]


async def test_a_failure_of_a_shared_question_is_told_to_all_and_forgotten() -> None:
    fails = iter([True, False])

    async def ask(question: str) -> str:
        if next(fails):
            raise ConnectionError(question)
        return question

    sharing = Sharing(ask)
    lost = await asyncio.gather(sharing.answer("a"), sharing.answer("a"), return_exceptions=True)
    assert [type(one) for one in lost] == [ConnectionError, ConnectionError]
    assert await sharing.answer("a") == "a"


class Question(str):  # noqa: SLOT000 - with slots it could not be seen to go
    """One that can be seen to go."""


@pytest.mark.parametrize("kind", [Gathering, Sharing])
async def test_what_was_asked_does_not_outlive_its_failure(kind: type[Any]) -> None:
    async def fails(_: object) -> Any:
        raise RuntimeError("no answer")

    asking = Gathering[Question, str](fails, letters, most=10) if kind is Gathering else Sharing[Question, str](fails)

    async def ask(question: Question) -> None:
        with pytest.raises(RuntimeError):
            await asking.answer(question)

    gc.disable()
    try:
        question = Question("a")
        gone = weakref.ref(question)
        await ask(question)
        del question
        await asyncio.sleep(0)
        assert gone() is None
    finally:
        gc.enable()
