"""What a worker does with what Kafka delivers. Every behaviour on a real broker, judged by effects and committed offsets."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from services.chassis.retrying import first_headers
from tests.integration.chassis.conftest import Bench, Called, Noted


async def test_each_event_has_its_effect_once_however_often_it_comes(bench: Bench) -> None:
    async with bench.working():
        sent = await bench.publish(*(Noted(name="a", number=number) for number in range(5)))
        again = [(Noted(name="a", number=number), sent[number]) for number in (4, 0, 2, 1, 3)]
        for event, attributes in again:
            await bench.send(event.value(), attributes.headers(), key=b"a")
            await bench.send(event.value(), attributes.headers(), key=b"a", partition=3)
        await bench.until_committed(0)
        await bench.until_committed(3)
    assert Counter(await bench.effects()) == {("a", number): 1 for number in range(5)}


async def test_a_restarted_worker_goes_on_where_it_was(bench: Bench) -> None:
    async with bench.working():
        await bench.publish(Noted(name="a", number=1))
        await bench.until_committed()
    await bench.publish(Noted(name="a", number=2))
    async with bench.working():
        await bench.until_effects(2)
        await bench.until_committed()
    assert await bench.effects() == [("a", 1), ("a", 2)]
    assert bench.tries == [("a", 1), ("a", 2)]


async def test_a_new_worker_hears_what_was_said_before_it_came(bench: Bench) -> None:
    await bench.publish(Noted(name="early", number=1))
    async with bench.working():
        assert await bench.until_effects(1) == [("early", 1)]


@pytest.mark.parametrize("kind", [Noted, Called])
async def test_one_key_keeps_its_order(bench: Bench, kind: type[Noted]) -> None:
    events = [kind(name=name, number=number) for number in range(20) for name in ("a", "b", "c")]
    async with bench.working():
        await bench.publish(*events)
        found = await bench.until_effects(60)
    for name in ("a", "b", "c"):
        assert [number for key, number in found if key == name] == list(range(20))


async def test_a_transient_failure_is_tried_again_and_never_before_it_is_due(bench: Bench) -> None:
    async with bench.working():
        published = time.time()
        await bench.publish(
            Noted(name="a", number=1), Noted(name="b", number=2, fails="at first"), Noted(name="c", number=3)
        )
        found = await bench.until_effects(3)
        waited = time.time() - published
    assert sorted(found) == [("a", 1), ("b", 2), ("c", 3)]
    assert waited >= bench.settings.retry_delays[0].total_seconds()  # type: ignore[index]  # given in these settings
    (record,) = await bench.read(f"{bench.settings.topic_prefix}payments.retry.5s", 1)
    assert first_headers(record.headers)["x-attempt"] == b"1"


async def test_what_fails_for_good_is_dead_at_once_with_its_reason(bench: Bench) -> None:
    async with bench.working():
        await bench.publish(Noted(name="a", number=1, fails="fatally"), Called(name="b", number=2, fails="fatally"))
        dead = await bench.read(bench.dead_letters, 2)
        await bench.until_committed()
    reasons = {first_headers(record.headers)["x-error-message"] for record in dead}
    assert reasons == {b"a person must look at this"}
    assert await bench.effects() == []
