"""What differs between the topics that are wanted and those that the broker has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from courtside_contracts.topics import (
    BOOKING_EVENTS,
    COURT_EVENTS,
    SERVICES,
    USER_PROFILES,
    Topic,
    all_topics,
    retry_topic,
)
from deploy.broker import BrokerSettings
from deploy.topics.plan import ADD_PARTITIONS, ALLOW_DATA_LOSS, NEVER, Change, Wanted, all_wanted, changes
from services.chassis.topics import Found, shortcomings, weaknesses

DAY_MS = 86_400_000
SETTINGS = BrokerSettings(topic_prefix="club.", replication_factor=3)
WANTED = Wanted.of(BOOKING_EVENTS, SETTINGS)
AS_WANTED = Found(WANTED.partitions, WANTED.replicas, WANTED.configs)


def difference(**found: object) -> list[tuple[str, str]]:
    """The settings that differ from `booking.events`, and what stands in the way of each."""
    partitions = found.pop("partitions", AS_WANTED.partitions)
    replicas = found.pop("replicas", AS_WANTED.replicas)
    configs = {name.replace("_", "."): str(value) for name, value in found.items()}
    there = Found(int(str(partitions)), int(str(replicas)), {**AS_WANTED.configs, **configs})
    return [(change.setting, change.obstacle) for change in changes({WANTED.name: WANTED}, {WANTED.name: there})]


def test_a_cluster_that_is_as_wanted_needs_nothing() -> None:
    wanted = all_wanted(SETTINGS)
    found = {name: Found(each.partitions, each.replicas, each.configs) for name, each in wanted.items()}
    assert changes(wanted, found) == []


def test_a_new_topic_shows_all_that_it_will_be() -> None:
    assert Change("club.booking.events", "retention.ms", None, "-1") in changes({WANTED.name: WANTED}, {})
    assert {change.setting for change in changes({WANTED.name: WANTED}, {})} == {
        "partitions",
        "replication.factor",
        "cleanup.policy",
        "retention.ms",
        "max.message.bytes",
        "message.timestamp.type",
        "min.insync.replicas",
    }


@pytest.mark.parametrize(
    ("found", "obstacle"),
    [
        ({"partitions": 3}, ADD_PARTITIONS),
        ({"partitions": 12}, NEVER),
        ({"replicas": 1}, NEVER),
        ({"retention_ms": 1000}, ""),
        ({"cleanup_policy": "compact"}, ALLOW_DATA_LOSS),
        ({"max_message_bytes": 1}, ""),
        ({"max_message_bytes": 9_999_999}, ""),
        ({"message_timestamp_type": "LogAppendTime"}, ""),
        ({"min_insync_replicas": 1}, ""),
    ],
    ids=str,
)
def test_what_stands_in_the_way_of_a_change(found: dict[str, object], obstacle: str) -> None:
    assert [each for _, each in difference(**found)] == [obstacle]


def test_for_ever_is_longer_than_any_retention() -> None:
    tier = Wanted.of(retry_topic("booking", "5s"), SETTINGS)
    for_ever = Found(tier.partitions, tier.replicas, {**tier.configs, "retention.ms": "-1"})
    assert [change.obstacle for change in changes({tier.name: tier}, {tier.name: for_ever})] == [ALLOW_DATA_LOSS]


@pytest.mark.parametrize(("replicas", "insync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_all_replicas_but_one_must_have_a_record(replicas: int, insync: str) -> None:
    wanted = Wanted.of(BOOKING_EVENTS, BrokerSettings(replication_factor=replicas))
    assert (wanted.replicas, wanted.configs["min.insync.replicas"]) == (replicas, insync)


def test_every_topic_is_written_by_a_service_and_its_name_is_free() -> None:
    topics = all_topics()
    assert {topic.written_by for topic in topics} == set(SERVICES)
    assert len({topic.name for topic in topics}) == len(topics)


def test_a_service_can_work_on_more_than_it_asks_for() -> None:
    generous = Found(60, 1, {**AS_WANTED.configs, "max.message.bytes": "9999999"})
    assert list(shortcomings(BOOKING_EVENTS, generous)) == []
    year = Found(COURT_EVENTS.partitions, 1, COURT_EVENTS.configs)
    for longer in ("-1", str(366 * DAY_MS)):
        assert list(shortcomings(COURT_EVENTS, replace(year, configs={**year.configs, "retention.ms": longer}))) == []


@pytest.mark.parametrize(
    ("topic", "kept", "sentence"),
    [
        (BOOKING_EVENTS, "604800000", "keeps records for 604800000 ms, not ever"),
        (COURT_EVENTS, str(364 * DAY_MS), f"keeps records for {364 * DAY_MS} ms, not {365 * DAY_MS} ms"),
    ],
)
def test_a_topic_that_keeps_records_for_too_short_a_time_is_refused(topic: Topic, kept: str, sentence: str) -> None:
    found = Found(topic.partitions, 3, {**topic.configs, "retention.ms": kept})
    assert list(shortcomings(topic, found)) == [sentence]


@pytest.mark.parametrize(
    ("replicas", "insync", "setting", "weak"),
    [
        (3, 1, None, True),
        (3, 2, None, False),
        (3, 3, None, False),
        (1, 1, None, False),
        (5, 2, 2, False),
        (5, 2, 3, True),
    ],
)
def test_a_record_that_counts_as_written_too_early_is_a_weakness(
    replicas: int, insync: int, setting: int | None, weak: bool
) -> None:
    found = Found(6, replicas, {**BOOKING_EVENTS.configs, "min.insync.replicas": str(insync)})
    assert bool(list(weaknesses(found, setting))) is weak


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (None, "is not there, or this user may not see it"),
        (Found(2, 1, USER_PROFILES.configs), "has 2 partitions, not 3"),
        (Found(3, 1, USER_PROFILES.configs | {"cleanup.policy": "delete"}), "has cleanup.policy=delete, not compact"),
        (
            Found(3, 1, USER_PROFILES.configs | {"message.timestamp.type": "LogAppendTime"}),
            "has message.timestamp.type=LogAppendTime, not CreateTime",
        ),
        (Found(3, 1, USER_PROFILES.configs | {"max.message.bytes": "1000"}), "takes 1000 bytes, not 1048576"),
    ],
    ids=["missing", "partitions", "cleanup", "time", "size"],
)
def test_what_a_service_cannot_work_on_is_said(found: Found | None, sentence: str) -> None:
    assert list(shortcomings(USER_PROFILES, found)) == [sentence]
