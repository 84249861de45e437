"""`courtside topics plan` and `apply`, on a real broker."""

from __future__ import annotations

import pytest

from courtside_contracts.topics import all_topics
from deploy.topics.plan import ADD_PARTITIONS, ALLOW_DATA_LOSS
from deploy.topics.provisioning import Refused, plan, provision
from tests.integration.topics.conftest import Installation, courtside

pytestmark = pytest.mark.slow

YEAR_MS, DAY_MS = str(365 * 86_400_000), str(86_400_000)


async def test_an_operator_plans_applies_and_has_nothing_left_to_do(empty: Installation) -> None:
    planned = await empty.topics("plan", "--json")
    assert planned.code == 3
    assert {change["topic"] for change in planned.json} == {empty.name(topic.name) for topic in all_topics()}
    assert all(change["now"] is None for change in planned.json)

    applied = await empty.topics("apply", "--json")
    assert (applied.code, applied.json) == (0, planned.json)
    nothing = await empty.topics("plan")
    assert (nothing.code, nothing.output) == (0, "Nothing differs: the topics are as they must be.\n")


async def test_the_topics_are_as_the_contracts_say(provisioned: Installation) -> None:
    profiles, tier = await provisioned.found("user.profiles"), await provisioned.found("booking.retry.5s")
    assert (profiles.partitions, profiles.replicas, profiles.configs["cleanup.policy"]) == (3, 1, "compact")
    assert tier.configs == {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * 86_400_000),
        "max.message.bytes": "1114112",
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": "1",
    }


async def test_what_an_operator_changed_by_hand_is_seen_and_set_back(provisioned: Installation) -> None:
    await provisioned.set("booking.retry.5s", message_timestamp_type="CreateTime", max_message_bytes="1000")
    await provisioned.set("booking.retry.5s", segment_ms="60000")
    await provisioned.delete("court.events")
    shown = await provisioned.topics("plan")
    assert shown.code == 3
    for words in ("court.events", "message.timestamp.type", "CreateTime", "LogAppendTime", "1114112"):
        assert words in shown.output

    changed = await provision(provisioned.settings)
    assert {(c.topic, c.setting) for c in changed if c.now} == {
        (provisioned.name("booking.retry.5s"), "message.timestamp.type"),
        (provisioned.name("booking.retry.5s"), "max.message.bytes"),
    }
    assert await plan(provisioned.settings) == []


async def test_a_setting_of_the_operators_own_stays(provisioned: Installation) -> None:
    await provisioned.set("booking.events", compression_type="zstd", max_message_bytes="1000")
    await provision(provisioned.settings)
    assert (await provisioned.found("booking.events")).configs["max.message.bytes"] == "1048576"
    assert await provisioned.configs("booking.events", ["compression.type"]) == {"compression.type": "zstd"}


async def test_more_partitions_need_a_yes_since_keys_move(provisioned: Installation) -> None:
    await provisioned.replace("booking.events", partitions=2)
    refused = await provisioned.topics("apply")
    assert refused.code == 2
    assert f"{provisioned.name('booking.events')} partitions 2 → 6: needs {ADD_PARTITIONS}" in refused.errors
    assert (await provisioned.found("booking.events")).partitions == 2

    assert (await provisioned.topics("apply", ADD_PARTITIONS)).code == 0
    assert (await provisioned.found("booking.events")).partitions == 6


async def test_a_shorter_retention_needs_a_yes_and_a_longer_one_none(provisioned: Installation) -> None:
    await provisioned.set("payment.events", retention_ms="-1")
    await provisioned.set("notification.events", retention_ms=DAY_MS)
    with pytest.raises(Refused, match=ALLOW_DATA_LOSS):
        await provision(provisioned.settings)
    assert (await provisioned.found("notification.events")).configs["retention.ms"] == DAY_MS

    await provision(provisioned.settings, [ALLOW_DATA_LOSS])
    assert (await provisioned.found("payment.events")).configs["retention.ms"] == YEAR_MS


async def test_another_cleanup_policy_needs_a_yes(provisioned: Installation) -> None:
    await provisioned.set("user.profiles", cleanup_policy="delete")
    with pytest.raises(Refused, match=r"cleanup\.policy delete → compact: needs --allow-data-loss"):
        await provision(provisioned.settings)


async def test_partitions_are_never_taken_away(provisioned: Installation) -> None:
    await provisioned.replace("court.events", partitions=5)
    refused = await provisioned.topics("apply", ADD_PARTITIONS, ALLOW_DATA_LOSS)
    assert (refused.code, "partitions 5 → 3: never done here" in refused.errors) == (2, True)


async def test_replicas_are_shown_and_never_moved(provisioned: Installation) -> None:
    planned = await provisioned.topics("plan", "--json", COURTSIDE_REPLICATION_FACTOR="3")
    assert {(c["setting"], c["now"], c["wanted"]) for c in planned.json} == {
        ("replication.factor", "1", "3"),
        ("min.insync.replicas", "1", "2"),
    }
    assert (await provisioned.topics("apply", COURTSIDE_REPLICATION_FACTOR="3")).code == 2


async def test_what_the_broker_refuses_is_one_sentence(empty: Installation) -> None:
    refused = await empty.topics("apply", COURTSIDE_REPLICATION_FACTOR="3")
    assert (refused.code, refused.errors.count("\n")) == (2, 1)
    assert "replication factor" in refused.errors.lower()


async def test_without_a_broker_the_command_says_so() -> None:
    away = await courtside({"COURTSIDE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "topics", "plan")
    assert (away.code, away.output) == (2, "")
    assert "127.0.0.1:1" in away.errors.splitlines()[-1]
