"""Three services, each its own user of a broker that checks: what they must do they can, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from courtside_contracts.payment import PaymentCheckoutOpened
from courtside_contracts.topics import LADDER, PAYMENT_EVENTS, SERVICES
from deploy import tokens
from deploy.local.errors import PartFailed, WrongEnvironment
from deploy.local.postgres import Postgres
from deploy.player import Player, free_slots
from deploy.topics import acls
from deploy.topics.acls import Acl
from deploy.topics.cluster import Cluster, connected
from deploy.topics.plan import all_wanted
from services.booking.settings import BookingSettings
from services.booking.venues.seed import VENUE_ID
from services.chassis.topics_watch import BrokerRefuses, TopicsWatch
from tests.integration.chassis.conftest import until
from tests.integration.topics.club import Club
from tests.integration.topics.conftest import courtside
from tests.integration.topics.secured import OPERATOR, PREFIX
from tests.stack import TestStack
from tests.unit.notifications.builders import MONDAY_NOON, a_booking, a_profile

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WRITE = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
VALUES (gen_random_uuid(), 'court.events', 'c', 'court.noted.v1', convert_to($1, 'UTF8'), '{"ce_source": "/test"}', now())
"""
USERS = ("booking", "payments", "notifications", "downstream")


def a_checkout() -> PaymentCheckoutOpened:
    money = {"amount_minor": 3600, "currency": "EUR"}
    page = {"checkout_url": "https://example.com", "expires_at": MONDAY_NOON}
    return PaymentCheckoutOpened.model_validate({"booking_id": uuid4(), "attempt_id": uuid4(), **money, **page})


@pytest.fixture(scope="module")
async def club(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[Club]:
    club = await Club.found(idle_stack)
    yield club
    await idle_stack.kill("secured-kafka")


@pytest.fixture(scope="module")
async def open_club(club: Club) -> AsyncIterator[Club]:
    """With the three services at work."""
    await asyncio.gather(club.migrate("booking", "seed"), club.migrate("payments"), club.migrate("notifications"))
    payments = await club.start("payments")
    await club.start_standin("polar", club.urls.polar, POLAR_STANDIN_WEBHOOK_URL=f"{payments}/webhooks/polar")
    await club.start_standin("resend", club.urls.resend, RESEND_STANDIN_RATE_PER_S="0")
    await club.start("notifications")
    booking = await club.start("booking")
    yield replace(club, urls=replace(club.urls, booking=booking))
    for name in (*SERVICES, "polar", "resend"):
        await club.stack.stop(f"secured-{name}")


async def test_a_restored_service_hears_again_as_the_user_that_a_cluster_gives_it(club: Club) -> None:
    await club.tell("payments", a_checkout())
    async with club.reading("booking", "payment.events", group="booking") as booking:
        await booking.getone()
        await booking.commit()
    for service, user in (
        ("booking", "booking-restored"),
        ("payments", "payments"),
        ("notifications", "notifications"),
    ):
        await club.migrate(service)
        await restored(club, service, user)
    assert (
        f"{PREFIX}booking: 1 partitions set back"
        in club.stack.processes.log("restored-as-booking-restored").read_text()
    )
    with pytest.raises(PartFailed) as ended:
        await restored(club, "booking", "booking")
    assert f"TopicAuthorizationFailedError: {PREFIX}" in ended.value.log_tail


async def restored(club: Club, service: str, user: str) -> None:
    told = club.stack.environment(service, **club.told(service, user))
    await club.stack.run(f"restored-as-{user}", f"services.{service}", "restored", **told)


async def test_a_player_books_pays_and_gets_a_mail(open_club: Club) -> None:
    urls, keys = open_club.urls, open_club.stack.installation.paths.keys
    async with httpx.AsyncClient(timeout=60, follow_redirects=False, trust_env=False) as http:
        player = Player(http, urls, "ana@example.com", tokens.mint(keys, "ana@example.com", "Ana Ruiz"))
        booking_id, _ = await player.hold(await free_slots(http, urls.booking, str(VENUE_ID), 1))
        await player.pay(await player.open_checkout(booking_id))
        await player.await_confirmation(booking_id)
        assert (await player.read_mail(booking_id, "booking-confirmed"))["to"] == ["ana@example.com"]


async def test_a_mail_that_waits_for_a_profile_climbs_the_ladder(open_club: Club) -> None:
    booking = a_booking(booking_id=uuid4(), user_id=uuid4())
    await open_club.tell("booking", booking)
    await open_club.until_value("notifications.retry.5s", str(booking.booking_id).encode())
    await open_club.tell("booking", a_profile(user_id=booking.user_id))
    await open_club.until_value("notification.events", str(booking.booking_id).encode())


async def test_poison_ends_in_the_dead_letters_of_its_reader(open_club: Club) -> None:
    await open_club.tell("booking", a_booking(), b"not json, for notifications")
    await open_club.until_value("notifications.dlt", b"not json, for notifications")
    await open_club.tell("payments", a_checkout(), b"not json, for booking")
    await open_club.until_value("booking.dlt", b"not json, for booking")


async def test_every_service_is_in_its_group_and_those_of_its_tiers(open_club: Club) -> None:
    wanted = {f"{PREFIX}{service}" for service in SERVICES} | {
        f"{PREFIX}{service}.retry.{tier.name}" for service in SERVICES for tier in LADDER
    }

    async def groups() -> set[str]:
        async with connected(open_club.security.settings(OPERATOR)) as cluster:
            return {name for name, _ in await cluster.list_consumer_groups()}

    assert await until("the groups", groups, wanted.issubset) >= wanted


async def test_every_worker_sees_its_topics(open_club: Club) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        ready = (await http.get(f"{open_club.urls.booking}/readyz")).json()
    assert ready["checks"]["topics"][0]["output"] == "9 topics are as they must be"


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("booking", "payment.events"),
        ("booking", "payments.retry.5s"),
        ("payments", "booking.events"),
        ("payments", "user.profiles"),
        ("notifications", "booking.events"),
        ("notifications", "booking.dlt"),
        *(("downstream", topic) for topic in ("booking.events", "payment.events", "user.profiles")),
    ],
)
async def test_nobody_writes_what_is_another_services(club: Club, user: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await club.publish(user, topic, b"forged")


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("notifications", "payments.polar-webhooks"),
        ("notifications", "payments.dlt"),
        ("booking", "notification.events"),
        ("booking", "payments.polar-webhooks"),
        ("payments", "booking.dlt"),
        *(("downstream", topic) for topic in ("user.profiles", "payments.polar-webhooks", "booking.dlt")),
    ],
)
async def test_nobody_reads_what_is_not_meant_for_it(club: Club, user: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        async with club.reading(user, topic) as consumer:
            await consumer.getmany(timeout_ms=10_000)


@pytest.mark.parametrize(
    ("user", "topic", "group"),
    [
        ("downstream", "booking.events", "payments"),
        ("payments", "booking.events", "notifications"),
        ("booking", "payment.events", "payments.retry.5s"),
    ],
)
async def test_nobody_takes_part_in_anothers_group(club: Club, user: str, topic: str, group: str) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        async with club.reading(user, topic, group) as consumer:
            await consumer.getmany(timeout_ms=10_000)


async def test_a_team_downstream_reads_in_a_group_of_its_own(club: Club) -> None:
    event = a_booking(booking_id=uuid4())
    await club.tell("booking", event)
    async with club.reading("downstream", "booking.events", "downstream.club-app") as consumer:
        assert (await asyncio.wait_for(consumer.getone(), 60)).value is not None
        await consumer.commit()


@pytest.mark.parametrize("user", USERS)
async def test_no_service_changes_topics_or_rights(club: Club, user: str) -> None:
    """Nor makes or deletes one."""
    settings, name, principal = club.security.settings(PREFIX + user), f"{PREFIX}booking.events", f"User:{PREFIX}{user}"
    new = next(iter(all_wanted(settings).values()))
    forbidden: list[Callable[[Cluster], Awaitable[object]]] = [
        lambda cluster: cluster.set_configs({name: {"retention.ms": "1"}}),
        lambda cluster: cluster.add_partitions({name: 60}),
        lambda cluster: cluster.create([new]),
        lambda cluster: cluster.acls_of(principal),
        lambda cluster: cluster.create_acl(2, name, 3, principal, "*", 4, 3),
    ]
    for change in forbidden:
        with pytest.raises(WrongEnvironment, match=r"(?i)authoriz"):
            async with connected(settings) as cluster:
                await change(cluster)
    async with connected(settings) as cluster:
        answer = await cluster.delete_topics([name])
    assert {code for _, code in answer.topic_error_codes} == {TopicAuthorizationFailedError.errno}


async def test_rights_given_by_hand_are_shown_and_taken_away_again(club: Club) -> None:
    settings, operator = club.security.settings(OPERATOR), club.security.told(OPERATOR, "COURTSIDE")
    by_hand = Acl(
        acls.TOPIC, f"{PREFIX}payment.events", acls.LITERAL, f"User:{PREFIX}booking", "*", acls.Operation.Write
    )
    async with connected(settings) as cluster:
        await cluster.create_acl(*by_hand.fields())
    shown = {
        "change": "take away",
        "user": "User:club.booking",
        "operation": "Write",
        "on": "topic club.payment.events",
    }

    seen = await courtside(operator, "topics", "acls")
    assert (seen.code, all(word in seen.output for word in shown.values())) == (3, True)
    applied = await courtside(operator, "topics", "acls", "--apply", "--json")
    assert (applied.code, applied.json) == (0, [shown])
    assert await acls.plan(settings) == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"kafka_password": "of-another-day"}, "(?i)authentication"), ({"kafka_ca_file": None}, "(?i)certificate")],
    ids=["password", "authority"],
)
async def test_a_broker_that_lets_nobody_in_is_not_taken_for_one_that_is_away(
    club: Club, wrong: dict[str, str | None], reason: str
) -> None:
    told = club.security.settings(f"{PREFIX}booking").model_dump() | {"database_url": "postgresql://not-asked"} | wrong
    watch = TopicsWatch(BookingSettings.model_validate(told), [PAYMENT_EVENTS])
    await watch.look()
    with pytest.raises(BrokerRefuses, match=reason):
        await watch.verdict()


async def test_a_relay_that_may_not_write_ends_its_process(club: Club) -> None:
    await club.migrate("booking", "seed")
    with pytest.raises(PartFailed) as ended:
        await club.start("booking", "worker", user="downstream", name="relay")
    assert "AuthorizationFailed" in ended.value.log_tail


async def test_a_relay_that_loses_its_right_ends_its_process_and_the_next_one_sends_what_waits(club: Club) -> None:
    operator, user = club.security.settings(OPERATOR), f"User:{PREFIX}booking"
    right = Acl(acls.TOPIC, f"{PREFIX}court.events", acls.LITERAL, user, "*", acls.Operation.Write)
    await club.migrate("booking")
    outbox = await asyncpg.connect(club.databases["booking"])
    await club.start("booking", "worker", name="refused")
    await outbox.execute(WRITE, "while it may")
    await club.until_value("court.events", b"while it may")
    async with connected(operator) as cluster:
        await cluster.delete_acl(*right.fields())
    await outbox.execute(WRITE, "while it may not")

    async def running() -> bool:
        return club.stack.processes.running("secured-refused") is not None

    await until("the end of the process", running, lambda runs: not runs)
    assert "TopicAuthorizationFailed" in club.stack.processes.log("secured-refused").read_text()
    assert await outbox.fetchval("SELECT count(*) FROM outbox") == 1
    assert [(each.acl, each.missing) for each in await acls.apply(operator)] == [(right, True)]
    await club.start("booking", "worker", name="refused")
    await club.until_value("court.events", b"while it may not")
    await club.stack.stop("secured-refused")
    await outbox.close()


async def test_a_consumer_that_may_not_join_its_group_says_so(club: Club) -> None:
    operator = club.security.settings(OPERATOR)
    right = Acl(acls.GROUP, f"{PREFIX}payments", acls.LITERAL, f"User:{PREFIX}payments", "*", acls.Operation.Read)
    await club.migrate("payments")
    async with connected(operator) as cluster:
        await cluster.delete_acl(*right.fields())
    await club.start("payments", "worker", name="outsider")
    log = club.stack.processes.log("secured-outsider")

    async def said() -> str:
        return log.read_text()

    await until("the refusal in the log", said, lambda text: "GroupAuthorizationFailedError" in text)
    await club.stack.stop("secured-outsider")
    assert [(each.acl, each.missing) for each in await acls.apply(operator)] == [(right, True)]
