from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from courtside_contracts.catalogue import EVENTS
from courtside_contracts.examples import example
from courtside_contracts.topics import LADDER, SERVICES, all_topics, retry_topic
from deploy.asyncapi.document import document

COMMITTED = Path(__file__).parents[3] / "contracts" / "asyncapi.yaml"
ASYNCAPI: dict[str, Any] = yaml.safe_load(COMMITTED.read_text())
MESSAGES: dict[str, Any] = ASYNCAPI["components"]["messages"]


def told(operation: str) -> set[str]:
    return {message["$ref"].rpartition("/")[2] for message in ASYNCAPI["operations"][operation]["messages"]}


def judge(schema: dict[str, Any]) -> Draft202012Validator:
    """Of a schema that may point into the document."""
    return Draft202012Validator({**schema, "components": ASYNCAPI["components"]}, format_checker=FormatChecker())


def test_the_committed_document_is_that_of_the_code() -> None:
    assert COMMITTED.read_text() == document(), "write it anew: python -m deploy.asyncapi"


def test_every_topic_is_a_channel() -> None:
    assert list(ASYNCAPI["channels"]) == [topic.name for topic in all_topics()]


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_type_is_a_message_whose_example_its_schemas_allow(name: str) -> None:
    [shown] = MESSAGES[name]["examples"]
    judge(MESSAGES[name]["payload"]).validate(shown["payload"])
    judge(MESSAGES[name]["headers"]).validate(shown["headers"])
    assert shown["headers"]["ce_type"] == name
    assert shown["headers"]["ce_subject"] == example(EVENTS[name]).key


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_of_another_type_has_the_wrong_headers(name: str) -> None:
    other = next(other for other in EVENTS if other != name)
    [shown] = MESSAGES[other]["examples"]
    assert not judge(MESSAGES[name]["headers"]).is_valid(shown["headers"])


def test_the_story_of_one_booking_can_be_followed() -> None:
    assert "booking.held.v1" in told("booking.send.booking.events") & told("payments.receive.booking.events")
    assert "payment.succeeded.v1" in told("payments.send.payment.events") & told("booking.receive.payment.events")
    assert "booking.confirmed.v1" in told("notifications.receive.booking.events")
    assert "notification.sent.v1" in told("notifications.send.notification.events")


def test_the_erasure_of_a_user_is_told_by_a_tombstone() -> None:
    assert "user.profile.v1.tombstone" in told("booking.send.user.profiles") & told("payments.receive.user.profiles")
    assert MESSAGES["user.profile.v1.tombstone"]["payload"] == {"type": "null"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sends_to_its_own_ladder_and_reads_it(service: str) -> None:
    for tier in LADDER:
        topic = retry_topic(service, tier.name).name
        assert told(f"{service}.send.{topic}") == told(f"{service}.receive.{topic}") == {"failed-record"}


def test_a_failed_record_says_where_it_came_from_and_why() -> None:
    assert {"x-original-topic", "x-original-offset", "x-attempt", "x-error-class"} <= set(
        MESSAGES["failed-record"]["headers"]["required"]
    )
