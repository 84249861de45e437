"""What is read from a record that died, and what goes out of the desk: bytes in, bytes out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from courtside_contracts.envelope import Envelope, Event
from services.chassis.dead_letters.domain import Letter, edited, redriven
from services.chassis.dead_letters.reading import NAME_MAX_CHARS, read
from services.chassis.verbatim import RawHeaders, Verbatim, pack, unpack

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ID = UUID("01a20feb-7434-72cf-a44a-7ba7ed5685b2")
ENVELOPE = Envelope("old", "test.moved.v1", "/test", NOON, "subject").headers()
BYTES = st.none() | st.binary(max_size=40)
NAMES = st.sampled_from(
    [
        "ce_id",
        "ce_type",
        "ce_time",
        "ce_specversion",
        "traceparent",
        "x-attempt",
        "x-first-failure-at",
        "x-redrive-count",
    ]
)
HEADERS = st.lists(st.tuples(NAMES | st.text(st.characters(codec="utf-8"), max_size=10), BYTES), max_size=12).map(tuple)


class Moved(Event):
    type: ClassVar[str] = "test.moved.v1"
    topic: ClassVar[str] = "booking.events"
    source: ClassVar[str] = "/test"

    @property
    def key(self) -> str:
        return "k"


def record(headers: RawHeaders, timestamp: int = 1) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("t.payments.dlt", 2, 7, timestamp, 0, b"k", b"v", None, 1, 1, headers)


def letter(headers: RawHeaders, event_id: str | None = "old") -> Letter:
    return Letter(ID, b"k", b"v", headers, event_id, Moved.type, "open")


@given(headers=HEADERS, key=BYTES)
def test_headers_and_key_come_back_as_they_were(headers: RawHeaders, key: bytes | None) -> None:
    assert unpack(pack(headers)) == headers
    assert Verbatim.unpacked(Verbatim(key, headers).packed()) == Verbatim(key, headers)


@given(headers=HEADERS, timestamp=st.integers(-1, 2**63 - 1))
def test_whatever_a_record_holds_there_is_a_row_of_it_that_the_database_takes(
    headers: RawHeaders, timestamp: int
) -> None:
    row = read(record(headers, timestamp), "t.", NOON)
    for value in row.values():
        if isinstance(value, str):
            assert "\0" not in value
            assert len(value) <= max(NAME_MAX_CHARS, 1024)
            value.encode()
    assert row["died_at"].tzinfo is not None


def test_where_a_record_came_from_is_told_without_the_prefix_of_the_installation() -> None:
    told: dict[str, Any] = {
        "x-original-topic": b"t.booking.events",
        "x-original-partition": b"3",
        "x-original-offset": b"12345678901",
        "x-attempt": b"4",
        "x-first-failure-at": b"2026-11-28T12:00:00.000000Z",
        "x-error-class": b"Fatal",
    }
    row = read(record((*ENVELOPE, *told.items())), "t.", NOON)
    assert (row["origin_topic"], row["origin_partition"], row["origin_offset"]) == ("booking.events", 3, 12345678901)
    assert (row["attempts"], row["first_failure_at"], row["error_class"]) == (4, NOON, "Fatal")
    assert (row["topic"], row["partition"], row["offset"]) == ("t.payments.dlt", 2, 7)


@given(headers=HEADERS)
def test_a_redriven_record_differs_in_its_attempts_and_in_two_headers_that_say_so(headers: RawHeaders) -> None:
    changed = {"x-attempt", "x-redriven-from", "x-redrive-count"}
    sent = redriven(letter(headers))
    assert [header for header in sent.headers if header[0] not in changed] == [
        header for header in headers if header[0] not in changed
    ]
    assert [name for name, _ in sent.headers if name in changed] == ["x-redriven-from", "x-redrive-count"]


@pytest.mark.parametrize(("before", "after"), [(None, b"1"), (b"1", b"2"), (b"many", b"1"), (b"9" * 40, b"1")])
def test_redrives_are_counted(before: bytes | None, after: bytes) -> None:
    headers = ENVELOPE if before is None else (*ENVELOPE, ("x-redrive-count", before))
    assert dict(redriven(letter(headers)).headers)["x-redrive-count"] == after


@given(headers=HEADERS)
def test_an_edited_event_has_an_envelope_that_can_be_read_whatever_was_wrong_with_the_old_one(
    headers: RawHeaders,
) -> None:
    envelope = Envelope.parse(edited(letter(headers), Moved, "new", NOON).headers)
    assert (envelope.id, envelope.type) == ("new", Moved.type)


def test_an_edited_event_keeps_what_was_right() -> None:
    headers = (*ENVELOPE, ("ce_tenant", b"north"), ("x-strange", b"\xff"))
    told = dict(edited(letter(headers), Moved, "new", NOON.replace(hour=13)).headers)
    assert (told["ce_time"], told["ce_subject"], told["ce_tenant"]) == (
        b"2026-11-28T12:00:00.000000Z",
        b"subject",
        b"north",
    )
    assert (told["ce_causationid"], told["x-strange"]) == (b"old", b"\xff")
