"""What is sent of a record that is routed on: all of it, or what there is room for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.forwarding import PARCEL_MAX_BYTES, Parcel, parcel
from services.chassis.retrying import Fatal, Ladder, Transient, first_headers, next_hop
from services.chassis.verbatim import RawHeaders

LADDER = Ladder("payments")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
BIG = b"x" * PARCEL_MAX_BYTES
SIZES = st.none() | st.sampled_from([0, 1, 1_000, 1_048_576, PARCEL_MAX_BYTES, 3 * PARCEL_MAX_BYTES])
MANY: RawHeaders = tuple((f"h{number}", b"x" * 1_000) for number in range(1_500))


def sent(key: bytes | None, value: bytes | None, headers: RawHeaders = (), error: Exception | None = None) -> Parcel:
    record = ConsumerRecord("booking.events", 3, 42, 1, 0, key, value, None, 1, 1, headers)
    return parcel(record, next_hop(record, error or Fatal("no sense"), LADDER, NOON), LADDER.dead_letters)


def bytes_of(size: int | None) -> bytes | None:
    return None if size is None else b"x" * size


@given(key=SIZES, value=SIZES, header=SIZES, forged=st.sampled_from(["x-strange", "x-original-topic", "ce_id"]))
def test_whatever_a_record_is_something_of_it_can_be_sent(
    key: int | None, value: int | None, header: int | None, forged: str
) -> None:
    found = sent(bytes_of(key), bytes_of(value), ((forged, bytes_of(header)),))
    assert found.size_bytes <= PARCEL_MAX_BYTES
    assert found.key is not None or found.value is not None
    assert first_headers(found.headers)["x-error-class"] == b"Fatal"


def test_what_fits_is_sent_as_it_came() -> None:
    found = sent(b"k", b"v" * 1_048_576, (("x-strange", b"\xff"),))
    assert (found.key, len(found.value or b""), found.headers[0]) == (b"k", 1_048_576, ("x-strange", b"\xff"))
    assert sent(None, b"v").key is None
    assert sent(b"k", None).value is None


@pytest.mark.parametrize(
    ("key", "value", "headers", "left"),
    [
        (b"k", BIG, (), {"x-value-omitted"}),
        (b"k", BIG, (("x-strange", BIG),), {"x-value-omitted", "x-headers-omitted"}),
        (b"k", None, (("ce_id", b"1"), ("x-strange", BIG)), {"x-headers-omitted"}),
        (b"k", b"v", MANY, {"x-value-omitted", "x-headers-omitted"}),
        (BIG, None, (), {"x-headers-omitted", "x-key-omitted"}),
    ],
    ids=["value", "value and headers", "headers of a tombstone", "many headers", "key"],
)
def test_what_was_left_out_is_said(key: bytes, value: bytes | None, headers: RawHeaders, left: set[str]) -> None:
    told = first_headers(sent(key, value, headers).headers)
    assert {name for name in told if name.endswith("-omitted")} == left
    if value and "x-value-omitted" in left:
        assert told["x-value-omitted"] == str(len(value)).encode()
    assert (told["x-original-topic"], told["x-original-offset"]) == (b"booking.events", b"42")


def test_a_record_that_no_retry_topic_takes_is_a_dead_letter_at_once() -> None:
    assert sent(b"k", b"v", error=Transient("not now")).topic == "payments.retry.5s"
    assert sent(b"k", BIG, error=Transient("not now")).topic == "payments.dlt"


def test_a_null_key_comes_back_from_a_tier_as_the_empty_one_that_stands_for_it() -> None:
    first = sent(None, None)
    again = sent(first.key, first.value, first.headers)
    assert (first.key, again.key) == (b"", b"")
    assert [name for name, _ in again.headers].count("x-key-was-null") == 1
