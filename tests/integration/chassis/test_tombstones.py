"""What is erased at its source comes as a null value, and is forgotten in order and once, like any event."""

from __future__ import annotations

from typing import Any

import pytest

from courtside_contracts.envelope import Envelope
from courtside_contracts.topics import USER_PROFILES
from services.chassis.consuming import Consumers
from services.chassis.retrying import first_headers
from tests.integration.chassis.conftest import Bench, Called, Known, Noted
from tests.integration.chassis.test_poison import GOOD, without


async def nothing(*_: Any) -> None:
    return None


async def test_a_tombstone_goes_to_its_handler_in_the_order_of_its_key(bench: Bench) -> None:
    async with bench.working():
        await bench.publish(Known(name="ana", number=1), Known(name="ben", number=1))
        await bench.bury("ana", "e1")
        await bench.publish(Known(name="ana", number=2))
        found: list[Any] = await bench.until_effects(4)
    assert [number for name, number in found if name == "ana"] == [1, None, 2]
    assert [number for name, number in found if name == "ben"] == [1]


async def test_a_tombstone_that_comes_twice_has_its_effect_once(bench: Bench) -> None:
    async with bench.working():
        for _ in range(3):
            await bench.bury("ana", "the same")
        await bench.publish(Known(name="end", number=1))
        await bench.until(("end", 1))
    found: list[Any] = await bench.effects()
    assert found == [("ana", None), ("end", 1)]


async def test_a_tombstone_is_handled_beside_a_neighbour_that_fails(bench: Bench) -> None:
    """The batch is redone one by one, the tombstone with it."""
    await bench.publish(Known(name="bad", number=1, fails="fatally"))
    await bench.bury("ana", "e1")
    await bench.publish(Called(name="c", number=3))
    async with bench.working():
        found: list[Any] = await bench.until_effects(2)
        (dead,) = await bench.read(bench.dead_letters, 1)
    assert sorted(found, key=str) == [("ana", None), ("c", 3)]
    assert dead.key == b"bad"


async def test_what_cannot_be_a_tombstone_is_a_dead_letter(bench: Bench) -> None:
    known = [*without("ce_type"), ("ce_type", Known.type.encode())]
    async with bench.working():
        await bench.send(None, list(GOOD))  # an event that has no tombstones
        await bench.send(None, known, key=b"\xff\xfe", topic=USER_PROFILES.name)
        dead = await bench.read(bench.dead_letters, 2)
    reasons = {first_headers(record.headers)["x-error-message"] for record in dead}
    assert reasons == {b"test.noted.v1 has no value", b"the key is not UTF-8"}
    assert {record.value for record in dead} == {None}
    assert await bench.effects() == []


async def test_a_unit_of_work_publishes_a_tombstone(bench: Bench) -> None:
    async with bench.unit_of_work() as work:
        work.publish_tombstone(Known, "ana")
    (told,) = work.outgoing
    row = told.row()
    assert (row["aggregatetype"], row["aggregateid"], row["payload"]) == (USER_PROFILES.name, "ana", None)
    attributes = Envelope(str(row["id"]), row["type"], row["headers"]["ce_source"], work.now, "ana")
    assert Envelope.parse(attributes.headers()).type == Known.type


@pytest.mark.parametrize("kind", [Noted, Known])
def test_only_projections_of_compacted_topics_have_tombstones(kind: type[Noted]) -> None:
    with pytest.raises(ValueError, match="has no tombstones"):
        Consumers(projections={Noted: nothing}, tombstones={kind: nothing})
