"""A record that nobody can make sense of ends where the design says, byte for byte, and its neighbours never notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from prometheus_client import REGISTRY

from courtside_contracts.envelope import Envelope
from services.chassis import working
from services.chassis.health import consumers_check
from services.chassis.isolating import PartitionsAtFault
from services.chassis.pipeline import Pipeline
from services.chassis.retrying import first_headers
from services.chassis.subscribing import Record
from tests.integration.chassis.conftest import Bench, Noted

pytestmark = pytest.mark.slow

GOOD = Envelope.parse(
    [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"x"),
        ("ce_source", b"/test"),
        ("ce_type", b"test.noted.v1"),
        ("ce_time", b"2026-11-28T12:00:00Z"),
    ]
).headers()

BATCH = 7


def without(name: str) -> list[tuple[str, Any]]:
    return [header for header in GOOD if header[0] != name]


Written = tuple[bytes | None, bytes | None, list[tuple[str, Any]]]
"""Value, key and headers, as somebody wrote them."""

POISON: dict[str, Written] = {
    "a body that is not UTF-8": (b"\xff\xfe\x00", b"k", list(GOOD)),
    "a body that is not JSON": (b"{", b"k", list(GOOD)),
    "a body of the wrong types": (b'{"name": [], "number": "many"}', b"k", list(GOOD)),
    "no body": (None, b"k", list(GOOD)),
    "no key and no sense": (b"?", None, list(GOOD)),
    "an attribute that is not UTF-8": (b"{}", b"k", [*without("ce_type"), ("ce_type", b"\xff\xfe")]),
    "a header that is not UTF-8": (b"{", b"k", [*GOOD, ("x-strange", b"\xff\xfe"), ("x-strange", b"twice")]),
    "a header without a value": (b"{", b"k", [*GOOD, ("x-empty", None)]),
    "no id": (b"{}", b"k", without("ce_id")),
    "a megabyte of nothing": (b" " * 1_000_000, b"k", list(GOOD)),
    "neither key nor value": (None, None, list(GOOD)),
    "what the handler refuses": (Noted(name="k", number=0, fails="fatally").value(), b"k", list(GOOD)),
}


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each batch had; none has more than seven."""
    sizes: list[int] = []
    handle = Pipeline.handle_batch

    async def counted(self: Pipeline, records: Sequence[Record]) -> None:
        sizes.append(len(records))
        await handle(self, records)

    monkeypatch.setattr(Pipeline, "handle_batch", counted)
    monkeypatch.setattr(working, "PROVIDER_BATCH", BATCH)
    return sizes


@pytest.mark.parametrize("kind", POISON)
async def test_poison_at_any_place_of_a_batch_is_a_dead_letter_and_harms_no_neighbour(
    bench: Bench, batches: list[int], kind: str
) -> None:
    value, key, headers = POISON[kind]
    for place in range(BATCH):
        healthy = [Noted(name=f"batch {place}", number=number) for number in range(BATCH - 1)]
        await bench.publish(*healthy[:place])
        await bench.send(value, [*headers, ("place", str(place).encode())], key=key)
        await bench.publish(*healthy[place:])
    async with bench.working():
        await bench.until_committed()
        dead = await bench.read(bench.dead_letters, BATCH)
    fetched_whole = (
        kind != "a megabyte of nothing"
    )  # a fetch takes a megabyte from each partition, so such a batch comes in parts
    assert batches == [BATCH] * BATCH or not fetched_whole
    healthy_ones = {(f"batch {place}", number): 1 for place in range(BATCH) for number in range(BATCH - 1)}
    assert Counter(await bench.effects()) == healthy_ones
    for place, record in enumerate(sorted(dead, key=_offset)):
        assert (record.value, record.key) == (value, sent_key(value, key)), "the very bytes"
        assert ("x-key-was-null" in first_headers(record.headers)) is (key is value is None)
        assert record.headers[: len(headers) + 1] == (*headers, ("place", str(place).encode()))
        told = first_headers(record.headers)
        assert (told["x-original-topic"].decode(), told["x-error-class"]) == (bench.topic, b"Fatal")


def sent_key(value: bytes | None, key: bytes | None) -> bytes | None:
    """No client can write a record that has neither: an empty key goes in its place."""
    return b"" if key is value is None else key


def _offset(record: ConsumerRecord[bytes, bytes]) -> int:
    return int(first_headers(record.headers)["x-original-offset"])


async def test_a_type_that_nobody_asked_for_is_passed_over(bench: Bench) -> None:
    async with bench.working():
        await bench.publish(Noted(name="a", number=1))
        for number in range(3):
            await bench.send(b"\xff", [*without("ce_type"), ("ce_type", b"court.repainted%d.v1" % number)])
        await bench.publish(Noted(name="a", number=2))
        await bench.until_committed()
    assert await bench.effects() == [("a", 1), ("a", 2)]
    assert await bench.count(bench.dead_letters) == 0
    counted = {
        labels["type"]: sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if (labels := sample.labels).get("topic") == bench.topic and sample.name == "courtside_events_handled_total"
    }
    assert counted == {Noted.type: 2, "other": 3}, "a sender that makes up types makes no series"


async def test_a_newer_version_waits_for_the_deployment_to_end(bench: Bench) -> None:
    newer = [*without("ce_type"), ("ce_type", b"test.noted.v2")]
    async with bench.working():
        await bench.publish(Noted(name="a", number=1))
        await bench.send(b'{"unknown": "here"}', newer)
        await bench.publish(Noted(name="a", number=2))
        # The longest wait of this ladder is two seconds, as the second tier's is.
        (waiting,) = await bench.read(f"{bench.settings.topic_prefix}payments.retry.1m", 1)
        await bench.until_committed()
    assert (waiting.value, waiting.key, list(waiting.headers[: len(newer)])) == (b'{"unknown": "here"}', b"k", newer)
    assert first_headers(waiting.headers)["x-error-class"] == b"NewerVersion"
    assert await bench.effects() == [("a", 1), ("a", 2)]


class Garbled(str):
    """The name of a header, as a client wrote it that does not care for UTF-8."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        return b"\xff\xfe"


async def test_a_record_that_the_client_library_cannot_read_stops_its_partition_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka raises inside `getmany`, and drops what it had taken from healthy partitions in the same call."""
    healthy = [Noted(name=f"court {number}", number=number) for number in range(200)]
    await bench.publish(Noted(name="before", number=1))
    with monkeypatch.context() as patched:  # the compiled builder asks nobody how a name is encoded
        for module in (message_accumulator, producer):
            patched.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        await bench.send(b"{}", [*GOOD, (Garbled("garbled"), b"x")])
    for number, event in enumerate(healthy):
        await bench.publish(event, partition=1 + number % 5)
    group = bench.settings.topic_prefix + bench.settings.service
    async with bench.working() as worker:
        await bench.until_effects(len(healthy))
        for partition in range(1, 6):
            await bench.until_committed(partition)
        await bench.publish(Noted(name="later", number=1), partition=3)
        await bench.until(("later", 1))
        assert REGISTRY.get_sample_value("courtside_consumer_partitions_at_fault", {"group": group}) == 1
        with pytest.raises(PartitionsAtFault, match=f"{group} in {bench.topic}/0 from offset"):
            bench.faults.require_none()
        told = await consumers_check(worker.started, bench.faults).run()
        assert (told["status"], f"{bench.topic}/0" in told["output"]) == ("warn", True)
    effects = Counter(await bench.effects())
    effects.pop(("before", 1), None)  # with the bad record in one fetch it waits too
    assert effects == {(event.name, event.number): 1 for event in [*healthy, Noted(name="later", number=1)]}
    assert (await bench.committed(TopicPartition(bench.topic, 0)) or 0) <= 1, "the bad record is not passed over"
    assert await bench.count(bench.dead_letters) == 0
