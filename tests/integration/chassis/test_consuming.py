"""What a worker does with what Kafka delivers. Every behaviour on a real broker, judged by effects and committed offsets."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from courtside_contracts.envelope import Envelope
from services.chassis.retrying import first_headers
from tests.integration.chassis.conftest import Bench, Called, Noted


async def test_each_event_has_its_effect_once_however_often_it_comes(bench: Bench) -> None:
    async with bench.working():
        sent = await bench.publish(*(Noted(name="a", number=number) for number in range(5)))
        again = [(Noted(name="a", number=number), sent[number]) for number in (4, 0, 2)]
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


GOOD = Envelope.parse(
    [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"x"),
        ("ce_source", b"/test"),
        ("ce_type", b"test.noted.v1"),
        ("ce_time", b"2026-11-28T12:00:00Z"),
    ]
).headers()


def without(name: str) -> list[tuple[str, Any]]:
    return [header for header in GOOD if header[0] != name]


POISON: dict[str, tuple[bytes | None, bytes | None, list[tuple[str, Any]]]] = {
    "a body that is not UTF-8": (b"\xff\xfe\x00", b"k", list(GOOD)),
    "a body that is not JSON": (b"{", b"k", list(GOOD)),
    "a body of the wrong types": (b'{"name": [], "number": "many"}', b"k", list(GOOD)),
    "no body": (None, b"k", list(GOOD)),
    "no key and no sense": (b"?", None, list(GOOD)),
    "an attribute that is not UTF-8": (b"{}", b"k", [*without("ce_type"), ("ce_type", b"\xff\xfe")]),
    "a header that is not UTF-8": (b"{", b"k", [*GOOD, ("x-strange", b"\xff\xfe")]),
    "no id": (b"{}", b"k", without("ce_id")),
    "a megabyte of nothing": (b" " * 1_000_000, b"k", list(GOOD)),
}


@pytest.mark.parametrize("position", [0, 2, 4], ids=["first", "in the middle", "last"])
async def test_poison_ends_in_the_dead_letters_and_harms_no_neighbour(bench: Bench, position: int) -> None:
    healthy = [Noted(name="a", number=number) for number in range(4)]
    for value, key, headers in POISON.values():
        # One batch for each kind of poison, with healthy records around it.
        await bench.publish(*healthy[:position])
        await bench.send(value, headers, key=key)
        await bench.publish(*healthy[position:])
    async with bench.working():
        await bench.until_effects(4 * len(POISON))
        await bench.until_committed()
        dead = await bench.read(bench.dead_letters, len(POISON))
    assert Counter(await bench.effects()) == {("a", number): len(POISON) for number in range(4)}
    found = [(record.value, record.key) for record in sorted(dead, key=lambda record: _offset(record.headers))]
    assert found == [(value, key) for value, key, _ in POISON.values()], "the very bytes"
    for record in dead:
        told = first_headers(record.headers)
        assert (told["x-original-topic"].decode(), told["x-error-class"]) == (bench.topic, b"Fatal")


def _offset(headers: Any) -> int:
    return int(first_headers(headers)["x-original-offset"])


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


async def test_types_that_nobody_asked_for_are_passed_over_and_newer_versions_wait(bench: Bench) -> None:
    unknown = [*without("ce_type"), ("ce_type", b"court.repainted.v1")]
    newer = [*without("ce_type"), ("ce_type", b"test.noted.v2")]
    async with bench.working():
        await bench.send(b"{}", unknown)
        await bench.send(b"{}", newer)
        (waiting,) = await bench.read(f"{bench.settings.topic_prefix}payments.retry.1m", 1)
        await bench.until_committed()
    assert first_headers(waiting.headers)["x-error-class"] == b"NewerVersion"
