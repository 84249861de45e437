"""A record that can be read and not be sent is a dead letter of what can be sent of it, and holds up nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from courtside_contracts.topics import FAILURE_HEADERS_MAX_BYTES, RECORD_MAX_BYTES
from services.chassis.retrying import first_headers
from tests.integration.chassis.conftest import Bench, Noted
from tests.integration.chassis.desks import BECAUSE, DeskBench, bytes_of
from tests.integration.chassis.test_poison import GOOD

pytestmark = pytest.mark.slow

HUGE = b'{"name": "' + b" " * (RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES) + b'"}'
EDIT = {"value": {"name": "mended", "number": 7}, **BECAUSE}


@pytest.fixture
async def desk(bench: Bench, tmp_path: Path) -> AsyncIterator[DeskBench]:
    async with DeskBench.open(bench, tmp_path) as opened:
        yield opened


async def send_compressed(bench: Bench, value: bytes, key: bytes) -> int:
    """A few kilobytes on the wire: the topic's limit is met. The record's offset."""
    async with AIOKafkaProducer(
        bootstrap_servers=bench.settings.kafka_bootstrap, compression_type="gzip", max_request_size=8_000_000
    ) as producer:
        sent = await producer.send_and_wait(bench.topic, value, key=key, headers=list(GOOD), partition=0)
    offset: int = sent.offset
    return offset


async def test_a_record_too_large_for_the_dead_letters_is_one_without_its_value(bench: Bench) -> None:
    await bench.publish(Noted(name="a", number=1))
    offset = await send_compressed(bench, HUGE, b"huge")
    await bench.publish(Noted(name="a", number=2))
    async with bench.working() as worker:
        await bench.until_committed()
        (dead,) = await bench.read(bench.dead_letters, 1)
        assert not worker.task.done()
    assert await bench.effects() == [("a", 1), ("a", 2)]
    told = first_headers(dead.headers)
    assert (dead.key, dead.value, told["x-value-omitted"]) == (b"huge", None, str(len(HUGE)).encode())
    found = (told["x-original-topic"], told["x-original-partition"], told["x-original-offset"])
    assert found == (bench.topic.encode(), b"0", str(offset).encode())
    assert told["x-error-class"] == b"Fatal"


async def test_the_desk_shows_where_a_value_is_that_it_has_not_and_sends_only_an_edit(desk: DeskBench) -> None:
    await send_compressed(desk.bench, HUGE, b"huge")
    async with desk.at_work():
        (letter,) = await desk.until_letters(1)
        shown = await desk.show(letter)
        assert (shown["missing"], bytes_of(shown["value"])) == ("omitted", None)
        assert {"name": "x-value-omitted", "encoding": "text", "data": str(len(HUGE))} in shown["headers"]
        refused = await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)
        assert (refused.status_code, refused.json()["code"]) == (422, "too-large-to-send")
        assert "value was left out" in refused.json()["detail"]
        group = await desk.ask("POST", "/redrives", BECAUSE)
        assert (group.status_code, group.json()["code"]) == (409, "nothing-to-redrive")
        assert (await desk.ask("POST", f"/{letter['id']}/edit", EDIT)).status_code == 202
        await desk.until_state(letter, "settled")
    assert await desk.bench.effects() == [("mended", 7)]


async def test_a_letter_with_neither_key_nor_value_is_not_redriven_and_can_be_edited(desk: DeskBench) -> None:
    await desk.bench.send(None, list(GOOD), key=None)
    async with desk.at_work():
        (letter,) = await desk.until_letters(1)
        assert bytes_of(letter["key"]) is None
        refused = await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)
        assert (refused.status_code, refused.json()["code"]) == (422, "neither-key-nor-value")
        group = await desk.ask("POST", "/redrives", BECAUSE)
        assert (group.status_code, group.json()["code"]) == (409, "nothing-to-redrive")
        assert (await desk.ask("POST", f"/{letter['id']}/edit", EDIT)).status_code == 202
        await desk.until_state(letter, "settled")
    assert await desk.bench.effects() == [("mended", 7)]
