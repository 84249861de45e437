"""Who is forgotten at the source is forgotten by the desk too: what died of theirs, and what was sent in its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.chassis.dead_letters import erasure, mutations
from services.chassis.dead_letters.consumers import Mirror
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Bench, Known, until
from tests.integration.chassis.desks import BECAUSE, DeskBench, bytes_of
from tests.integration.chassis.test_poison import without
from tests.unit.chassis.test_dead_letters import record as dead_record

pytestmark = pytest.mark.slow

KNOWN = [*without("ce_type"), ("ce_type", Known.type.encode())]
EDIT = {"value": {"name": "ana", "number": 1, "fails": "fatally"}, **BECAUSE}


@pytest.fixture
async def desk(bench: Bench, tmp_path: Path) -> AsyncIterator[DeskBench]:
    async with DeskBench.open(bench, tmp_path) as opened:
        yield opened


async def send_half_a_profile(bench: Bench, name: str) -> None:
    await bench.send(b'{"name": "' + name.encode(), KNOWN, key=name.encode(), topic=Known.topic)


async def edits(bench: Bench) -> list[bytes | None]:
    async with bench.database.engine.connect() as connection:
        found = await connection.execute(text("SELECT value FROM dead_letter_actions WHERE action = 'edit'"))
        return list(found.scalars())


async def test_a_tombstone_empties_the_letters_and_edits_of_its_key_and_no_others(desk: DeskBench) -> None:
    bench = desk.bench
    await send_half_a_profile(bench, "ana")
    await send_half_a_profile(bench, "ben")
    async with desk.at_work():
        ana, ben = sorted(await desk.until_letters(2), key=lambda letter: str(letter["key"]["data"]))
        assert (await desk.ask("POST", f"/{ana['id']}/edit", EDIT)).status_code == 202
        await desk.until_state(ana, "died_again")
        (again,) = await desk.letters(key="ana")
        assert await edits(bench) != [None]
        await bench.bury("ana", "e1")
        await bench.until_effects(1)
    assert await edits(bench) == [None]
    for letter in (ana, again):
        shown = await desk.show(letter)
        assert (shown["missing"], bytes_of(shown["value"])) == ("erased", None)
    assert bytes_of((await desk.show(ben))["value"]) == b'{"name": "ben'
    assert (await desk.show(ben))["missing"] is None
    for word, body in (("redrive", BECAUSE), ("edit", EDIT)):
        refused = await desk.ask("POST", f"/{again['id']}/{word}", body)
        assert (refused.status_code, refused.json()["code"]) == (422, "value-erased")
    assert (await desk.ask("POST", f"/{again['id']}/discard", BECAUSE)).status_code == 200


async def test_a_letter_that_comes_after_the_tombstone_is_kept_without_its_value(desk: DeskBench) -> None:
    async with desk.at_work():
        await desk.bench.bury("ana", "e1")
        await desk.bench.until_effects(1)
        await send_half_a_profile(desk.bench, "ana")
        (letter,) = await desk.until_letters(1)
    shown = await desk.show(letter)
    assert (shown["missing"], bytes_of(shown["value"]), shown["error_class"]) == ("erased", None, "Fatal")


async def test_a_tombstone_waits_for_a_mirror_that_has_not_committed(desk: DeskBench) -> None:
    """Else each would miss what the other is about to write."""
    bench = desk.bench

    async def waiting() -> int:
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        async with bench.database.engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def forget() -> None:
        async with bench.unit_of_work() as work:
            await erasure.forget(work, "k")

    async with bench.unit_of_work() as work:
        await mirror(bench, work)
        forgetting = asyncio.create_task(forget())
        await until("a tombstone that waits", waiting, lambda count: count == 1)
    await forgetting
    (letter,) = await desk.letters()
    assert (await desk.show(letter))["missing"] == "erased"


async def mirror(bench: Bench, work: UnitOfWork) -> None:
    """One letter with the key `k`, in a transaction that goes on."""

    class Open:
        def __call__(self) -> Any:
            return self

        async def __aenter__(self) -> UnitOfWork:
            return work

        async def __aexit__(self, *_: object) -> None:
            return None

    await Mirror(Open(), "t.").handle_batch([dead_record(())])  # type: ignore[arg-type]  # a transaction that is open already


async def test_what_an_edit_sent_goes_with_its_letter(desk: DeskBench) -> None:
    await send_half_a_profile(desk.bench, "ana")
    async with desk.at_work():
        (letter,) = await desk.until_letters(1)
        mended = {**EDIT, "value": {"name": "ana", "number": 1}}
        assert (await desk.ask("POST", f"/{letter['id']}/edit", mended)).status_code == 202
        await desk.until_state(letter, "settled")
    async with desk.bench.unit_of_work() as work:
        later = UnitOfWork(work.session, work.now + mutations.KEPT + timedelta(days=1))
        assert await mutations.purge(later) == 1
    assert await edits(desk.bench) == [None]


async def test_erased_keys_are_remembered_for_as_long_as_their_letters_can_come(desk: DeskBench) -> None:
    async with desk.bench.unit_of_work() as work:
        await erasure.forget(work, "ana")
    async with desk.bench.unit_of_work() as work:
        assert await erasure.purge(work) == 0
        assert await erasure.purge(UnitOfWork(work.session, work.now + erasure.KEPT + timedelta(days=1))) == 1
