"""Each alarm is raised by what it is for, on the running system. Outages raise theirs in `test_outages.py`.

What an alarm looks back at takes half a minute to pass: the last test waits until all have ended, the others until nothing is left to do.
So each begins with silence about what it is to raise: `raises_alarms`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from courtside_contracts.topics import POLAR_WEBHOOKS
from deploy.player import Player, Slot
from deploy.tokens import Role
from services.chassis import migrations
from tests.e2e.observed.conftest import Observed, raises_alarms, until
from tests.e2e.observed.test_outages import has_mail, warned
from tests.e2e.test_dead_letters import BECAUSE, answered
from tests.integration.chassis.test_poison import Garbled

pytestmark = pytest.mark.slow  # beside a whole system, and each alarm looks back for some seconds

MANY = 12
"""More than the alarms' thresholds of five and of ten."""
OLD_SECONDS = 6.0
"""More than the five from which on news are late here."""
SKEW_SECONDS = 10


@asynccontextmanager
async def administered(club: Observed, service: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The database of a service, as its superuser."""
    connection = await club.stack.postgres.connect(club.stack.installation.database(service))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def without_database(club: Observed, service: str) -> AsyncIterator[None]:
    """It lets nobody of the service in."""
    database = club.stack.installation.database(service)
    async with administered(club, "booking" if service != "booking" else "payments") as connection:
        await connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)
        try:
            yield
        finally:
            await connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')


async def test_a_club_whose_database_is_away_is_told_that_its_requests_fail(observed: Observed) -> None:
    club, player, alarm = observed, observed.player(), ("CourtsideRequestsFail", "booking")

    async def fires() -> bool:
        answer = await club.ask(player, "GET", "/v1/bookings")
        assert (answer.status_code, answer.json()["code"]) == (503, "database-away")
        return alarm in await club.prometheus.firing()

    async with raises_alarms(club, alarm):
        await club.stack.kill("postgres")
        await until("the alarm", fires)
    await club.stack.start_postgres()
    await club.settles()


async def test_requests_that_take_over_a_second_are_told_of(observed: Observed) -> None:
    """Somebody alters a table of booking while players look at their bookings."""
    club, player, alarm = observed, observed.player(), ("CourtsideRequestsSlow", "booking")
    async with raises_alarms(club, alarm), administered(club, "booking") as connection:

        async def fires() -> bool:
            async with connection.transaction():
                await connection.execute("LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE")
                asked = asyncio.create_task(club.ask(player, "GET", "/v1/bookings"))
                await asyncio.wait([asked], timeout=1.2)
            assert (await asked).status_code == 200
            return alarm in await club.prometheus.firing()

        await until("the alarm", fires)
    await club.settles()


async def test_news_that_pile_up_are_told_of_while_they_wait_and_when_they_come_late(observed: Observed) -> None:
    club, first = observed, await observed.book_free()
    await until("the mail of a booking that comes in time", lambda: has_mail(club, first))
    behind = ("CourtsideConsumerBehind", f"{club.stack.installation.topic_prefix}notifications")
    async with raises_alarms(club, ("CourtsideEventsLate", "notifications")), without_database(club, "notifications"):
        async with raises_alarms(club, behind):
            began = time.monotonic()
            bookings = [await club.book_free() for _ in range(MANY)]

        async def are_old() -> bool:
            return time.monotonic() - began > OLD_SECONDS

        await until("their age", are_old)

    async def are_told() -> bool:
        return [await club.mails(booking_id) for booking_id in bookings] == [1] * MANY

    await until("the mails", are_told)
    await club.settles()


async def test_an_evening_on_which_nobody_can_pay_wakes_somebody(observed: Observed) -> None:
    """Players go on holding courts. What waits for Polar goes round and round."""
    club, holding = observed, list[tuple[Player, str]]()
    alarms = {("CourtsideHoldsDoNotConvert", ""), ("CourtsideManyRetries", "payments")}

    async def fire() -> bool:
        player = club.player()
        holding.append((player, (await player.hold(club.slots))[0]))
        return alarms <= await club.prometheus.firing()

    async with raises_alarms(club, *alarms):
        await club.stack.stop("polar")
        await until("both alarms", fire)
    await club.stack.start_standin("polar")
    player, booking_id = holding[-1]
    await player.pay(await player.open_checkout(booking_id))
    await player.await_confirmation(booking_id)
    await club.settles()


async def test_what_polar_refuses_is_told_of_and_sold_once_that_is_mended(observed: Observed) -> None:
    """The product was archived, say: no try will do before somebody sees to it."""
    club = observed
    no_page = {"match": {"method": "POST", "path": "/v1/checkouts/"}, "action": "refuse", "name": "NotPermitted"}
    crowd = [club.player() for _ in range(MANY)]
    async with raises_alarms(club, ("CourtsideProviderRefuses", "polar"), ("CourtsideDeadLetters", "payments")):
        refuses = await tell_polar(club, "faults", no_page | {"times": "always"})
        holds = [(await player.hold(club.slots))[0] for player in crowd]
    await club.client.delete(f"{club.url('polar')}/_admin/faults/{refuses['id']}")
    told = await answered(club, "redrive", "-s", "payments", "--all", *BECAUSE, "--json")
    pages = await asyncio.gather(*(player.open_checkout(hold) for player, hold in zip(crowd, holds, strict=True)))
    assert len(set(pages)) == MANY

    async def is_done() -> bool:
        return bool((await answered(club, "redrive-status", told["id"], "-s", "payments", "--json"))["ended_at"])

    await until("the end of the redrive", is_done)
    await club.settles()


async def tell_polar(club: Observed, lever: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await club.client.post(f"{club.url('polar')}/_admin/{lever}", json=body)
    assert answer.is_success, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_players_who_pay_for_courts_that_others_have_are_told_of_and_paid_back(observed: Observed) -> None:
    club = observed
    late = [await holds_with_a_page(club) for _ in range(MANY)]
    async with administered(club, "booking") as connection:
        ids = [booking_id for _, booking_id, _, _ in late]
        await connection.execute(
            "UPDATE bookings SET hold_expires_at = now() - interval '1 second' WHERE id = ANY($1)", ids
        )
    for _, _, _, slot in late:
        club.slots.append(slot)
        await club.book_free()
    async with raises_alarms(club, ("CourtsideLatePayments", "")):
        for player, _, page, _ in late:
            await player.pay(page)

    async def are_paid_back() -> bool:
        found = [await balance_minor(club, booking_id) for _, booking_id, _, _ in late]
        return found == [0] * MANY and [await club.paid(booking_id) for _, booking_id, _, _ in late] == [1] * MANY

    await until("the money", are_paid_back)
    await club.settles()


async def holds_with_a_page(club: Observed) -> tuple[Player, str, str, Slot]:
    player = club.player()
    booking_id, slot = await player.hold(club.slots)
    return player, booking_id, await player.open_checkout(booking_id), slot


async def balance_minor(club: Observed, booking_id: str) -> int:
    """Of what Polar has of this booking's money."""
    ledger = await club.client.get(f"{club.url('polar')}/_admin/ledger", params={"booking_id": booking_id})
    return int(ledger.json()["balance_minor"])


async def test_money_that_fits_no_booking_is_told_of_until_it_has_gone_back(observed: Observed) -> None:
    """A page that somebody changed at Polar asks for another price than the player was quoted."""
    club = observed
    player, booking_id, page, _ = await holds_with_a_page(club)
    checkout_id = (await payment(club, booking_id))["checkout_id"]
    await tell_polar(club, f"checkouts/{checkout_id}/edit", {"amount": 100})
    alarms = (("CourtsideOrderQuarantined", "other-amount"), ("CourtsideBooksDiffer", "order quarantined"))
    async with raises_alarms(club, *alarms):
        await player.pay(page)
    await give_back(club, booking_id)
    await until_in_order(club)
    assert await balance_minor(club, booking_id) == 0


async def test_a_refund_that_does_not_come_about_is_told_of_until_it_has(observed: Observed) -> None:
    club = observed
    player, booking_id, page, _ = await holds_with_a_page(club)
    await player.pay(page)
    await player.await_confirmation(booking_id)
    course = {"match": {"method": "POST", "path": "/v1/refunds/", "contains": booking_id}, "action": "refund_course"}
    await tell_polar(club, "faults", course | {"pending_s": 0, "ends": "failed"})
    async with raises_alarms(club, ("CourtsideRefundFailed", ""), ("CourtsideBooksDiffer", "refund owed")):
        cancelled = await club.ask(club.player(Role.ADMIN), "POST", f"/v1/bookings/{booking_id}/cancel", json={})
        assert cancelled.status_code == 200, cancelled.text
    await give_back(club, booking_id)
    await until_in_order(club)
    assert await balance_minor(club, booking_id) == 0


async def payment(club: Observed, booking_id: str) -> dict[str, Any]:
    async with administered(club, "payments") as connection:
        found = await connection.fetchrow("SELECT * FROM payment_attempts WHERE booking_id = $1", booking_id)
        assert found
        return dict(found)


async def compare(club: Observed) -> list[dict[str, Any]]:
    """`courtside payments reconcile`, as an operator asks for it. What is left."""
    admin = club.player(Role.ADMIN)
    asked = await club.ask(admin, "POST", "/v1/ops/reconciliations", service="payments", json={})
    assert asked.status_code == 202, asked.text
    told = asked.json()

    async def has_ended() -> bool:
        told.update((await club.ask(admin, "GET", f"/v1/ops/reconciliations/{told['id']}", service="payments")).json())
        return bool(told["state"] != "running")

    await until("the comparison", has_ended)
    assert not told["failure"], told
    return list(told["differences"])


async def give_back(club: Observed, booking_id: str) -> None:
    path, why = f"/v1/payments/{(await payment(club, booking_id))['id']}/refund", {"reason": "it is the player's"}
    answer = await club.ask(club.player(Role.ADMIN), "POST", path, service="payments", json=why)
    assert answer.status_code == 202, answer.text


async def until_in_order(club: Observed) -> None:
    async def agree() -> bool:
        return not await compare(club)

    await until("books that agree", agree)
    await club.settles()


async def test_a_record_that_no_client_can_read_wakes_somebody_who_passes_over_it(
    observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the handbook, docs/operations.md, Partitions at fault."""
    club, prefix = observed, observed.stack.installation.topic_prefix
    async with raises_alarms(club, ("CourtsidePartitionAtFault", "payments")):
        bad = await garble(club, prefix + POLAR_WEBHOOKS.name, monkeypatch)
    await warned(club, "payments", "consumers", lambda said: f"{POLAR_WEBHOOKS.name}/{bad.partition}" in said)
    await club.stack.stop("payments")
    await pass_over(club, f"{prefix}payments", bad)
    await club.start_again("payments")
    await club.recovers()


async def garble(club: Observed, topic: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A record with a header whose name is no UTF-8; where it lies."""
    with monkeypatch.context() as patched:  # the compiled builder asks nobody how a name is encoded
        for module in (message_accumulator, producer):
            patched.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        async with AIOKafkaProducer(bootstrap_servers=club.stack.bootstrap) as sender:
            return await sender.send_and_wait(topic, b"{}", key=b"k", headers=[(Garbled("garbled"), b"x")])


async def pass_over(club: Observed, group: str, bad: Any) -> None:
    """`kafka-consumer-groups.sh --reset-offsets`"""
    place = TopicPartition(bad.topic, bad.partition)
    bootstrap = club.stack.bootstrap
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False) as reader:
        reader.assign([place])
        await reader.commit({place: bad.offset + 1})


async def test_a_clock_that_is_off_is_told_of(observed: Observed) -> None:
    """The database's own; what counts is that the two differ."""
    club, database = observed, observed.stack.installation.database("notifications")
    await club.stack.stop("notifications")
    async with administered(club, "notifications") as connection:
        await connection.execute(f"""
            CREATE SCHEMA skewed;
            CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql
                AS $$ SELECT pg_catalog.clock_timestamp() - interval '{SKEW_SECONDS} s' $$;
            GRANT USAGE ON SCHEMA skewed TO PUBLIC;
            ALTER DATABASE "{database}" SET search_path = skewed, pg_catalog, public
        """)
        async with raises_alarms(club, ("CourtsideClockSkewed", "notifications")):
            await club.start_again("notifications")
        await warned(club, "notifications", "clock", lambda said: "NTP" in said)
        await club.stack.stop("notifications")
        await connection.execute(f'ALTER DATABASE "{database}" RESET search_path; DROP SCHEMA skewed CASCADE')
    await club.start_again("notifications")
    await club.recovers()


async def test_a_worker_that_is_started_before_its_migration_wakes_somebody(observed: Observed) -> None:
    """It answers, is not ready, and does nothing: a booking of meanwhile has its mail once somebody has migrated."""
    club, (newest, before, *_) = observed, migrations.revisions("notifications")
    await club.stack.stop("notifications")
    async with administered(club, "notifications") as connection, asyncio.TaskGroup() as starting:
        async with raises_alarms(club, ("CourtsideWorkWaits", "notifications")):
            await connection.execute("UPDATE alembic_version SET version_num = $1", before)
            starting.create_task(club.start_again("notifications"))
        booking_id = await club.book_free()
        assert await club.mails(booking_id) == 0
        await connection.execute("UPDATE alembic_version SET version_num = $1", newest)
    await until("its mail", lambda: has_mail(club, booking_id))
    await club.recovers()
