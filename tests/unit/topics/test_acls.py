"""The files of `deploy/acls/` against what the services' code reads and writes: no right is missing, and none is left over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from courtside_contracts.topics import (
    BOOKING_EVENTS,
    LADDER,
    SERVICES,
    USER_PROFILES,
    all_topics,
    dead_letter_topic,
    retry_topic,
)
from deploy.kubernetes.generated import scaled
from deploy.topics.acls import GROUP, PREFIXED, TOPIC, Acl, Operation, all_rights
from services.booking import restored as booking_restored
from services.booking.app import build as booking
from services.booking.settings import BookingSettings
from services.chassis.service import Chassis, Service
from services.chassis.settings import Settings
from services.notifications import restored as notifications_restored
from services.notifications.app import build as notifications
from services.notifications.settings import NotificationsSettings
from services.payments import restored as payments_restored
from services.payments.app import build as payments
from services.payments.settings import PaymentsSettings

DATABASE: dict[str, Any] = {"database_url": "postgresql://role:word@localhost/database"}
POLAR: dict[str, Any] = {
    "polar_base_url": "https://api.polar.sh",
    "polar_access_token": "polar_oat_1",
    "polar_product_id": "7f1d3c5e-0b1a-4c53-9a55-c0a275bdc001",
}
BUILT: dict[str, tuple[Callable[[Chassis], Service], Callable[[], Settings]]] = {
    "booking": (booking, lambda: BookingSettings(**DATABASE)),
    "payments": (payments, lambda: PaymentsSettings(**DATABASE, **POLAR)),
    "notifications": (notifications, lambda: NotificationsSettings(**DATABASE, resend_api_key="re_1")),
}


def rights(user: str) -> list[Acl]:
    return [acl for file in all_rights() if file.user == user for acl in file.acls("")]


def covers(acl: Acl, name: str) -> bool:
    return name.startswith(acl.name) if acl.pattern == PREFIXED else name == acl.name


def topics(user: str, operation: Operation) -> set[str]:
    """Those of all there are on which the user may do this."""
    allowed = [acl for acl in rights(user) if acl.kind == TOPIC and acl.operation == operation]
    return {topic.name for topic in all_topics() if any(covers(acl, topic.name) for acl in allowed)}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_what_it_consumes_and_its_own_failures(service: str) -> None:
    build, settings = BUILT[service]
    nothing: list[Any] = [None] * 4
    built = build(Chassis(settings(), *nothing))
    if built.close:
        await built.close()
    own = {retry_topic(service, tier.name).name for tier in LADDER} | {dead_letter_topic(service).name}
    assert topics(service, Operation.Read) == own | {topic.name for topic in built.consumers.topics}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_writes_what_it_alone_may(service: str) -> None:
    assert topics(service, Operation.Write) == {topic.name for topic in all_topics() if topic.written_by == service}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_see_how_its_topics_are_made(service: str) -> None:
    """What its check of the topics asks for."""
    used = topics(service, Operation.Read) | topics(service, Operation.Write)
    assert topics(service, Operation.DescribeConfigs) == used


@pytest.mark.parametrize("user", [*SERVICES, "downstream"])
def test_a_user_takes_part_in_its_own_groups_only(user: str) -> None:
    allowed = [acl for acl in rights(user) if acl.kind == GROUP]
    assert {acl.operation for acl in allowed} == {Operation.Read}
    for other in (*SERVICES, "downstream"):
        groups = [f"{other}.anything", *([other] if other != "downstream" else [])]
        groups += [retry_topic(other, tier.name).name for tier in LADDER]
        for group in groups:
            assert any(covers(acl, group) for acl in allowed) == (other == user), group


def test_other_teams_read_events_and_see_nobodys_profile() -> None:
    read = topics("downstream", Operation.Read)
    assert read == {"booking.events", "court.events", "payment.events", "notification.events"}
    assert topics("downstream", Operation.Write) == set()


def test_a_restored_booking_reads_what_it_told_and_writes_nothing() -> None:
    letters = dead_letter_topic("booking")
    told = {topic.name for topic in (*booking_restored.TOLD, *booking_restored.HEARD, USER_PROFILES, letters)}
    assert topics("booking-restored", Operation.Read) == told
    assert {acl.operation for acl in rights("booking-restored")} == {Operation.Read}
    groups = [acl for acl in rights("booking-restored") if acl.kind == GROUP]
    assert groups == [replace(acl, principal="User:booking-restored") for acl in rights("booking") if acl.kind == GROUP]


@pytest.mark.parametrize("service", ["payments", "notifications"])
def test_the_others_are_restored_as_themselves(service: str) -> None:
    """What they hear again they read every day."""
    heard = {
        "payments": (*payments_restored.HEARD, *payments_restored.PROJECTED),
        "notifications": (BOOKING_EVENTS, *notifications_restored.PROJECTED),
    }[service]
    assert topics(service, Operation.Read) >= {topic.name for topic in (*heard, dead_letter_topic(service))}


def test_the_autoscaler_sees_each_lag_that_it_scales_by_and_no_other() -> None:
    """A lag that KEDA may not see starts no worker, and keeps those that are there from ending."""
    triggers = [each["metadata"] for service in SERVICES for each in scaled(service)["spec"]["triggers"]]
    assert topics("autoscaler", Operation.Describe) == {each["topic"] for each in triggers}
    seen = {acl.name for acl in rights("autoscaler") if acl.kind == GROUP and acl.operation == Operation.Describe}
    assert seen == {each["consumerGroup"] for each in triggers}
    assert {acl.operation for acl in rights("autoscaler")} == {Operation.Describe}


def test_a_prefix_stands_before_users_topics_and_groups() -> None:
    (file,) = (each for each in all_rights() if each.user == "payments")
    for acl in file.acls("club."):
        assert acl.principal == "User:club.payments"
        assert acl.name.startswith("club.")
