from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from deploy.doctor.broker import groups_of_all, lag_findings, topic_finding
from deploy.doctor.findings import REMEDIES, Finding
from deploy.doctor.processes import read, read_all, unasked
from services.chassis.health import UNKNOWN
from services.chassis.lag import Standing

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
A_SECOND_LATER = NOON + timedelta(seconds=1)


def standing(lag: int, *, is_read: bool = True, topic: str = "booking.events") -> Standing:
    return Standing(TopicPartition(topic, 0), 5_000, lag, is_read)


def levels(*standings: Standing, waits: bool = False) -> list[tuple[str, str]]:
    return [(finding.level, finding.check) for finding in lag_findings("payments", standings, waits=waits)]


def test_a_group_is_well_when_its_members_keep_up() -> None:
    assert levels(standing(0), standing(12)) == [("ok", "lag")]


def test_records_that_nobody_reads_are_a_failure_however_few() -> None:
    assert levels(standing(0), standing(1, is_read=False)) == [("fail", "lag")]
    assert levels(standing(1, is_read=False), waits=True) == [("fail", "lag")]


def test_nothing_to_read_and_nobody_to_read_it_is_no_trouble() -> None:
    assert levels(standing(0, is_read=False)) == [("ok", "lag")]


def test_many_records_are_a_warning() -> None:
    assert levels(standing(800), standing(300)) == [("warn", "lag")]


def test_what_waits_for_its_next_try_is_told_and_an_empty_tier_is_not() -> None:
    assert levels(standing(3), waits=True) == [("warn", "waiting")]
    assert levels(standing(0), waits=True) == []


def test_topics_that_differ_are_named_once() -> None:
    assert topic_finding([]).level == "ok"
    assert topic_finding(["booking.events"]).said == "not as they must be: booking.events"


def document(status: str, at: datetime) -> dict[str, object]:
    check = {"status": status, "output": "so it is", "time": at.isoformat(), "since": "2026-11-27T11:58:00Z"}
    return {"checks": {"outbox": [check]}}


def test_a_check_that_does_not_pass_says_since_when() -> None:
    assert list(read("booking", document("pass", NOON), NOON, A_SECOND_LATER)) == [
        Finding("ok", "booking", "outbox", "so it is")
    ]
    assert list(read("booking", document("warn", NOON), NOON, A_SECOND_LATER)) == [
        Finding("warn", "booking", "outbox", "so it is (since 2026-11-27T11:58:00Z)")
    ]


@pytest.mark.parametrize(
    ("ahead_seconds", "found"),
    [
        (0.5, None),
        (2.9, None),
        (3.5, "its clock is +2.5 s off this machine's"),
        (-60, "its clock is -60.0 s off this machine's"),
    ],
)
def test_a_clock_is_judged_by_the_nearer_end_of_the_question(ahead_seconds: float, found: str | None) -> None:
    at = NOON + timedelta(seconds=ahead_seconds)
    said = [one.said for one in read("booking", document("pass", at), NOON, A_SECOND_LATER) if one.check == "clock"]
    assert said == ([found] if found else [])


def test_all_that_is_not_well_has_a_remedy() -> None:
    assert all(Finding("warn", "booking", check, "").todo for check in REMEDIES)
    assert Finding("warn", "booking", "what nobody knew yet", "").todo == "see docs/operations.md"
    assert Finding("ok", "booking", "outbox", "").todo == ""


def test_every_group_of_a_service_is_looked_at() -> None:
    assert {name for name, _ in groups_of_all()} >= {
        "booking",
        "payments.projections",
        "notifications.paced",
        "notifications.dlt",
    }


def test_what_is_not_known_for_want_of_the_database_is_mended_there() -> None:
    assert Finding("warn", "booking", "outbox", f"{UNKNOWN} (since noon)").todo == REMEDIES["database"]


def test_every_replica_that_the_gateway_tells_of_is_a_finding_of_its_own() -> None:
    told: dict[str, dict[str, Any]] = {
        "booking-api": {"10.0.0.1:8000": document("pass", NOON)},
        "booking-worker": {"10.0.0.2:8000": document("pass", NOON), "10.0.0.3:8000": None},
        "payments-worker": {},
    }
    found = [(one.level, one.where, one.check) for one in read_all(told, NOON, A_SECOND_LATER)]
    assert found == [
        ("ok", "booking-api", "outbox"),
        ("ok", "booking-worker 10.0.0.2:8000", "outbox"),
        ("fail", "booking-worker 10.0.0.3:8000", "process"),
        ("fail", "payments-worker", "process"),
    ]


def test_a_service_whose_workers_nobody_asked_is_not_said_to_be_well() -> None:
    api = Finding("ok", "payments", "database", "answers")
    (found,) = unasked([api])
    assert (found.level, found.where) == ("warn", "payments worker")
    assert list(unasked([api, Finding("ok", "payments-worker", "consumers", "started")])) == []
    assert list(unasked([])) == []
