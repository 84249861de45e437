from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from courtside_contracts.envelope import Envelope, MalformedEnvelope, rfc3339
from courtside_contracts.payment import PaymentSucceeded
from tests.unit.contracts.events import A_PAYMENT, AN_ENVELOPE


def test_the_official_sdk_reads_what_we_write() -> None:
    message = KafkaMessage(headers=dict(AN_ENVELOPE.headers()), key=A_PAYMENT.key, value=A_PAYMENT.value())
    event = from_binary_event(message)
    assert event.get_id() == AN_ENVELOPE.id
    assert event.get_type() == "payment.succeeded.v1"
    assert event.get_source() == "/courtside/payments"
    assert event.get_subject() == AN_ENVELOPE.subject
    assert event.get_time() == AN_ENVELOPE.time
    assert event.get_specversion() == "1.0"
    assert event.get_extension("correlationid") == "request-7"
    assert PaymentSucceeded.model_validate(event.get_data()) == A_PAYMENT


def test_we_read_what_we_write() -> None:
    assert Envelope.parse(AN_ENVELOPE.headers()) == AN_ENVELOPE


def test_headers_of_others_are_left_alone() -> None:
    foreign = [("x-attempt", b"\xff\xfe"), ("baggage", None), *AN_ENVELOPE.headers()]
    assert Envelope.parse(foreign) == AN_ENVELOPE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ce_id": None}, "header ce_id is missing"),
        ({"ce_id": b""}, "header ce_id is empty"),
        ({"ce_type": b"\xff"}, "header ce_type is not UTF-8"),
        ({"ce_specversion": b"0.3"}, "ce_specversion is not 1.0"),
        ({"ce_time": b"yesterday"}, "ce_time is not an RFC 3339 instant"),
    ],
)
def test_a_broken_envelope_says_what_is_wrong(change: dict[str, bytes | None], reason: str) -> None:
    headers = {**dict(AN_ENVELOPE.headers()), **change}
    present = [(name, value) for name, value in headers.items() if value is not None]
    with pytest.raises(MalformedEnvelope, match=reason):
        Envelope.parse(present)


def test_an_id_that_is_there_twice_is_refused() -> None:
    with pytest.raises(MalformedEnvelope, match="ce_id is there twice"):
        Envelope.parse([*AN_ENVELOPE.headers(), ("ce_id", b"another")])


def test_equal_instants_are_equal_bytes() -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert rfc3339(noon) == "2026-11-28T12:00:00.000000Z"
    assert rfc3339(noon.astimezone(None)) == rfc3339(noon)


def test_a_booking_is_keyed_by_its_id() -> None:
    assert UUID(A_PAYMENT.key) == A_PAYMENT.booking_id
