"""The desk: what died is there byte for byte, whatever is decided has one effect, and every decision is written down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import REGISTRY
from sqlalchemy import text

from courtside_contracts.envelope import Envelope
from deploy.tokens import user_id
from services.chassis.dead_letters import mutations, redriving
from services.chassis.dead_letters.consumers import Mirror
from services.chassis.dead_letters.crons import count_letters
from services.chassis.dead_letters.domain import Decision
from services.chassis.outbox import RelayOff
from services.chassis.retrying import first_headers
from services.chassis.subscribing import Record
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Bench, Noted, until
from tests.integration.chassis.desks import BECAUSE, DeskBench, bytes_of
from tests.integration.chassis.test_poison import GOOD, POISON, Written
from tests.programs import REPOSITORY

pytestmark = pytest.mark.slow

STRANGE = (*GOOD, ("x-strange", b"\xff\xfe"), ("x-strange", b"again"), ("x-none", None), ("x-\0", b"\0"))
"""Twice the same name, a null value, a NUL: all that Kafka carries and a database does not."""
ALL_POISON = {
    **POISON,
    "strange headers": (b"\xff\0", b"\xfe\0", list(STRANGE)),
    "a depth that no answer has": (b"[" * 300 + b"]" * 300, b"k", list(GOOD)),
}
SENDABLE = {kind: written for kind, written in ALL_POISON.items() if written[:2] != (None, None)}
AGAIN = {"Idempotency-Key": "again"}
LETTER_BY_LETTER = {"limit": 1}
DEBEZIUM = REPOSITORY / "deploy" / "debezium"


@pytest.fixture
async def desk(bench: Bench, tmp_path: Path) -> AsyncIterator[DeskBench]:
    async with DeskBench.open(bench, tmp_path) as opened:
        yield opened


async def poison(bench: Bench, kinds: Mapping[str, Written] = ALL_POISON) -> None:
    for value, key, headers in kinds.values():
        await bench.send(value, headers, key=key)


def _spot(record: Record) -> bytes:
    return first_headers(record.headers)["x-original-offset"]


def headers_of(shown: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    return [(header["name"], bytes_of(header)) for header in shown["headers"]]


async def test_poison_is_listed_and_shown_byte_for_byte(desk: DeskBench) -> None:
    await poison(desk.bench)
    async with desk.at_work():
        await desk.until_letters(len(ALL_POISON))
        dead = await desk.bench.read(desk.bench.dead_letters, len(ALL_POISON))
    letters = await desk.letters(**LETTER_BY_LETTER)
    records = {int(first_headers(record.headers)["x-original-offset"]): record for record in dead}
    assert {letter["offset"] for letter in letters} == records.keys()
    for letter in letters:
        shown, record = await desk.show(letter), records[letter["offset"]]
        if shown["value"]["encoding"] == "json":
            assert shown["value"]["data"] == json.loads(record.value or b"")
        else:
            assert bytes_of(shown["value"]) == record.value
        assert bytes_of(shown["key"]) == (None if "x-key-was-null" in first_headers(record.headers) else record.key)
        assert headers_of(shown) == list(record.headers)
        assert (letter["topic"], letter["state"], letter["error_class"]) == ("booking.events", "open", "Fatal")
        assert (letter["attempts"], letter["consumer"]) == (1, "payments")
        assert letter["error_message"] == first_headers(record.headers)["x-error-message"].decode()


async def test_redriven_poison_travels_byte_for_byte_and_dies_again_as_a_letter_with_a_history(
    desk: DeskBench,
) -> None:
    await poison(desk.bench, SENDABLE)
    async with desk.at_work():
        first = await desk.until_letters(len(SENDABLE))
        for letter in first:
            assert (await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)).status_code == 202
        await desk.until_letters(len(SENDABLE), state="died_again")
        again = await desk.until_letters(len(SENDABLE))
        dead = await desk.bench.read(desk.bench.dead_letters, 2 * len(SENDABLE))
        sent = await desk.bench.read(f"{desk.bench.settings.topic_prefix}payments.retry.5s", len(SENDABLE))
    died = {_spot(record): record for record in dead if "x-redriven-from" not in first_headers(record.headers)}
    assert {_spot(record) for record in sent} == died.keys()
    for record in sent:
        before, told = died[_spot(record)], first_headers(record.headers)
        assert (record.key, record.value) == (before.key, before.value)
        assert record.headers[:-2] == tuple(header for header in before.headers if header[0] != "x-attempt")
        assert told["x-redrive-count"] == b"1"
    assert {letter["predecessor_id"] for letter in again} == {letter["id"] for letter in first}
    old = await desk.show(first[0])
    assert (old["state"], len(old["history"])) == ("died_again", 2)
    refused = await desk.ask("POST", f"/{old['id']}/redrive", BECAUSE)
    assert (refused.status_code, refused.json()["code"]) == (409, "dead-letter-decided")
    assert refused.json()["successor_id"] == old["history"][1]["id"]
    newest = await desk.show(old["history"][1])
    assert [one["id"] for one in newest["history"]] == [one["id"] for one in old["history"]]
    assert [action["action"] for action in newest["actions"]] == ["redrive"]


async def test_a_letter_that_is_redriven_twice_has_one_effect_and_one_line_in_the_audit(desk: DeskBench) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
        desk.bench.broken = False
        path = f"/{letter['id']}/redrive"
        at_once = await asyncio.gather(*(desk.ask("POST", path, BECAUSE) for _ in range(5)))
        assert sorted(answer.status_code for answer in at_once) == [202, 409, 409, 409, 409]
        await desk.until_state(letter, "settled")
        late = await desk.ask("POST", path, BECAUSE)
        assert (late.status_code, late.json()["state"], late.json()["successor_id"]) == (409, "settled", None)
        assert await desk.bench.effects() == [("a", 0)]
    ((action, actor, reason, letters, _),) = await desk.actions()
    assert (action, reason, [str(one) for one in letters]) == ("redrive", BECAUSE["reason"], [letter["id"]])
    assert actor == user_id("admin@example.com")


async def test_beside_debezium_nothing_is_sent_as_it_is(desk: DeskBench) -> None:
    beside = replace(desk.desk, relays=False)
    async with desk.at_work():
        (letter,) = await desk.die(1)
        async with desk.bench.unit_of_work() as work:
            with pytest.raises(RelayOff):
                await mutations.redrive(work, beside, UUID(letter["id"]), Decision(uuid4(), "in vain"))
            assert await redriving.carry_on(work, beside) == 0
        assert (await desk.show(letter))["state"] == "open"


async def test_a_process_that_does_not_know_of_debezium_yet_sends_nothing_as_it_is(desk: DeskBench) -> None:
    prepare, undo = ((DEBEZIUM / name).read_text() for name in ("prepare.sql", "undo.sql"))
    owner = await asyncpg.connect(desk.bench.settings.database_url.get_secret_value())
    async with desk.at_work():
        (letter,) = await desk.die(1)
        await owner.execute(prepare)
        for path, body in (
            (f"/{letter['id']}/redrive", BECAUSE),
            (f"/{letter['id']}/edit", BECAUSE | {"value": {"name": "a", "number": 1}, "type": Noted.type}),
            ("/redrives", BECAUSE),
        ):
            refused = await desk.ask("POST", path, body)
            assert (refused.status_code, refused.json()["code"]) == (409, "relay-off"), refused.text
        assert (await desk.show(letter))["state"] == "open"
        assert await desk.actions() == []
        await owner.execute(undo)
        desk.bench.broken = False
        assert (await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)).status_code == 202
        await desk.until_state(letter, "settled")
    await owner.close()


async def test_the_same_request_again_gets_the_same_answer(desk: DeskBench) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
        key = {"Idempotency-Key": "once"}
        path = f"/{letter['id']}/redrive"
        first, again = [await desk.ask("POST", path, BECAUSE, headers=key) for _ in range(2)]
        other = await desk.ask("POST", path, {"reason": "another"}, headers=key)
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")
    assert len(await desk.actions()) == 1


@pytest.mark.parametrize(
    "kind", ["a body of the wrong types", "an attribute that is not UTF-8", "no id", "no key and no sense"]
)
async def test_poison_that_is_edited_becomes_a_new_event_that_names_its_cause(desk: DeskBench, kind: str) -> None:
    value, key, headers = ALL_POISON[kind]
    await desk.bench.send(value, headers, key=key)
    edit = {"value": {"name": "mended", "number": 7}, "type": Noted.type, "reason": "as the sender meant it"}
    async with desk.at_work():
        (letter,) = await desk.until_letters(1)
        answer = await desk.ask("POST", f"/{letter['id']}/edit", edit)
        assert answer.status_code == 202, answer.text
        await desk.bench.until(("mended", 7))
        await desk.until_state(letter, "settled")
        (sent,) = await desk.bench.read(f"{desk.bench.settings.topic_prefix}payments.retry.5s", 1)
    envelope = Envelope.parse(sent.headers)
    assert (envelope.id, envelope.type) == (answer.json()["sent_as"], Noted.type)
    assert envelope.id != letter["event_id"]
    cause = first_headers(sent.headers).get("ce_causationid", b"").decode()
    assert cause == (letter["event_id"] or "")
    assert sent.key == key
    assert [action.action for action in await desk.actions()] == ["edit"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"value": {"name": "a", "number": "many"}}, "event-not-valid"),
        ({"value": {"name": "\ud800", "number": 1}}, "request-not-valid"),
        ({"value": {"name": "a", "number": float("inf")}}, "request-not-valid"),
        ({"value": {}, "type": "court.repainted.v1"}, "type-not-handled"),
        ({"value": []}, "request-not-valid"),
        ({"value": {"name": "a", "number": 1}, "reason": ""}, "request-not-valid"),
        ({"value": {"name": "a", "number": 1}, "reason": "\0"}, "request-not-valid"),
    ],
)
async def test_an_edit_that_is_no_event_changes_nothing(desk: DeskBench, change: dict[str, Any], code: str) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
    refused = await desk.ask("POST", f"/{letter['id']}/edit", {**BECAUSE, **change}, headers=AGAIN)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (await desk.show(letter))["state"] == "open"
    assert await desk.actions() == []


async def test_a_discarded_letter_is_closed_with_its_reason(desk: DeskBench) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
    discarded = await desk.ask("POST", f"/{letter['id']}/discard", {"reason": "a test of the sender"})
    assert (discarded.status_code, discarded.json()["state"]) == (200, "discarded")
    assert (await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)).status_code == 409
    shown = await desk.show(letter)
    assert [(action["action"], action["reason"]) for action in shown["actions"]] == [
        ("discard", "a test of the sender")
    ]
    assert await desk.letters() == []


async def test_a_mirror_that_dies_between_its_rows_and_its_offset_adds_nothing_twice(
    desk: DeskBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, seen = Mirror.handle_batch, []

    async def dies_after_its_rows(self: Mirror, records: list[Record]) -> None:
        await mirror(self, records)
        seen.append([record.offset for record in records])
        if len(seen) == 1:
            raise ConnectionError("gone before the offset was committed")

    monkeypatch.setattr(Mirror, "handle_batch", dies_after_its_rows)
    async with desk.at_work():
        before = await desk.die(1)
        await until("the batch again", lambda: _now(seen), lambda batches: len(batches) == 2)
    assert seen[0] == seen[1]
    assert await desk.letters() == before


async def _now(value: Any) -> Any:
    return value


async def test_a_mirror_that_is_reset_to_the_beginning_adds_nothing(desk: DeskBench) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
        discarded = await desk.ask("POST", f"/{letter['id']}/discard", BECAUSE)
        assert discarded.status_code == 200
    bench = desk.bench
    spots = [TopicPartition(bench.dead_letters, partition) for partition in range(3)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bench.settings.kafka_bootstrap, group_id=bench.dead_letters)
    await consumer.start()
    consumer.assign(spots)
    ends = await consumer.end_offsets(spots)
    await consumer.commit(dict.fromkeys(spots, 0))

    async def committed() -> dict[TopicPartition, int]:
        return {spot: await consumer.committed(spot) or 0 for spot in spots}

    assert sum((await committed()).values()) == 0
    async with desk.at_work():
        await until("the topic read again", committed, lambda offsets: offsets == ends)
    await consumer.stop()
    assert [one["id"] for one in await desk.letters(state=["open", "discarded"])] == [letter["id"]]


async def test_letters_are_found_by_what_they_are(desk: DeskBench) -> None:
    await desk.bench.send(b"{", list(GOOD), key=b"\xff")
    await desk.bench.publish(Noted(name="b", number=1, fails="fatally"))
    async with desk.at_work():
        bad, fatal = await desk.until_letters(2)
    groups = (await desk.ask("GET", "/groups")).json()["items"]
    assert [(one["error_class"], one["type"], one["count"], one["consumer"]) for one in groups] == [
        ("Fatal", Noted.type, 2, "payments")
    ]
    assert [one["oldest"] for one in groups] == [bad["died_at"]]
    assert await desk.letters(key="b") == [fatal]
    assert await desk.letters(type=Noted.type, error_class="Fatal", topic="booking.events") == [bad, fatal]
    assert await desk.letters(since=fatal["died_at"]) == [fatal]
    assert await desk.letters(error_class="Transient") == await desk.letters(state="discarded") == []
    page = await desk.ask("GET", params={"limit": 1})
    other = await desk.ask("GET", params={"limit": 1, "key": "b", "cursor": page.json()["next_cursor"]})
    assert (other.status_code, other.json()["code"]) == (400, "cursor-not-valid")
    assert page.headers["link"].endswith('rel="next"')


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("player", 403), ("staff", 403), ("admin", 404)])
@pytest.mark.parametrize(
    "route",
    [
        *("GET /{}", "POST /{}/redrive", "POST /{}/edit", "POST /{}/discard", "POST /{}/reopen"),
        *("GET /redrives/{}", "POST /redrives/{}/halt"),
    ],
)
async def test_the_desk_is_for_admins(desk: DeskBench, route: str, role: str | None, status: int) -> None:
    method, path = route.format(uuid4()).split()
    body = {**BECAUSE, **({"value": {}} if path.endswith("edit") else {})} if method == "POST" else None
    answer = await desk.ask(method, path, body, role)
    assert answer.status_code == status, answer.text


async def test_what_ended_long_ago_is_removed_and_what_is_without_its_effect_stays(desk: DeskBench) -> None:
    async with desk.at_work():
        letters = await desk.die(3)
    assert (await desk.ask("POST", f"/{letters[2]['id']}/redrive", BECAUSE)).status_code == 202
    assert (await desk.ask("POST", f"/{letters[0]['id']}/discard", BECAUSE)).status_code == 200
    async with desk.bench.unit_of_work() as work:
        assert await mutations.purge(work) == 0
        later = UnitOfWork(work.session, work.now + mutations.KEPT + timedelta(days=1))
        assert await mutations.purge(later) == 1
    left = await desk.letters(state=["open", "redriven", "discarded"])
    assert [(letter["id"], letter["state"]) for letter in left] == [
        (letters[1]["id"], "open"),
        (letters[2]["id"], "redriven"),
    ]
    assert len(await desk.actions()) == 2, "the audit outlives them"


async def test_the_open_ones_are_counted(desk: DeskBench) -> None:
    async with desk.at_work():
        await desk.die(2)
    counting = asyncio.create_task(count_letters(desk.bench.database))

    async def counted() -> tuple[float | None, float | None]:
        return (
            REGISTRY.get_sample_value("courtside_dead_letters", {"state": "open"}),
            REGISTRY.get_sample_value("courtside_dead_letters", {"state": "redriven"}),
        )

    await until("a count", counted, lambda seen: seen == (2, 0))
    counting.cancel()


async def test_a_type_that_is_passed_over_here_is_not_sent(desk: DeskBench) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
    async with desk.bench.database.engine.begin() as connection:
        await connection.execute(text("UPDATE dead_letters SET type = 'court.repainted.v1'"))
    refused = await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)
    assert (refused.status_code, refused.json()["code"]) == (422, "type-not-handled")
    assert Noted.type in refused.json()["types"]
