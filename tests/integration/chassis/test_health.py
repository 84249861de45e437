"""What a process says of itself, on a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import CollectorRegistry, Counter

from services.chassis import health, migrations, service
from services.chassis.breaker import Breaker
from services.chassis.broker_watch import BrokerWatch
from services.chassis.clock import DatabaseClock
from services.chassis.database import NoDatabase
from services.chassis.health import Check, Degraded
from services.chassis.retrying import Transient, is_database_away
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench
from tests.stack import TestStack


async def told(check: Check) -> tuple[str, str]:
    result = await check.run()
    return result["status"], result["output"]


async def test_a_database_that_is_behind_the_code_takes_the_process_out_of_service(bench: Bench) -> None:
    newest, before, *_ = migrations.revisions(bench.settings.service)
    check = health.migrations_check(bench.database, bench.settings)
    remedy = f"this process needs {newest}: run `migrate` of this version"
    assert await told(check) == ("fail", f"the database is empty, {remedy}")
    await bench.at_revision(before)
    assert await told(check) == ("fail", f"the database is at {before}, {remedy}")
    await bench.at_revision(newest)
    assert await told(check) == ("pass", f"at {newest}, or newer")


async def test_a_database_that_is_ahead_is_a_deployment_under_way_and_stays_so(bench: Bench) -> None:
    await bench.at_revision("9999")
    check = health.migrations_check(bench.database, bench.settings)
    assert (await told(check))[0] == "pass"
    await bench.at_revision(migrations.revisions(bench.settings.service)[1])
    assert (await told(check))[0] == "pass", "it was asked once more"


async def test_a_state_keeps_its_beginning_until_it_changes(bench: Bench) -> None:
    check = health.migrations_check(bench.database, bench.settings)
    first, second = await check.run(), await check.run()
    assert first["since"] == second["since"] <= second["time"]
    await bench.at_newest_revision()
    third = await check.run()
    assert third["since"] > second["since"]


async def test_a_provider_that_is_left_alone_is_a_warning_until_it_answers() -> None:
    breaker = Breaker(f"provider {uuid4()}", failures_to_open=1, open_seconds=0)
    check = health.provider_check(breaker)
    assert (await told(check))[0] == "pass"
    with pytest.raises(Transient), breaker.calling():
        raise Transient("no answer")
    status, said = await told(check)
    assert (status, said.split(":")[0]) == ("warn", f"{breaker.provider} is down")
    with breaker.admission(), breaker.calling():
        pass
    assert (await told(check))[0] == "pass"


async def test_a_host_whose_clock_is_off_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = DatabaseClock()
    await clock.synchronise(bench.database)
    assert (await told(health.clock_check(clock)))[0] == "pass"
    ahead = datetime.now(UTC) - timedelta(minutes=3)
    monkeypatch.setattr(clock, "now", lambda: ahead)
    status, said = await told(health.clock_check(clock))
    assert status == "warn"
    assert said.startswith("this host's clock is +180.")


async def test_a_transaction_that_does_not_commit_has_counted_nothing(bench: Bench) -> None:
    games = Counter("games", "Games", registry=CollectorRegistry())

    async def play(work: UnitOfWork) -> None:
        work.count(games, 2)

    async def give_up(work: UnitOfWork) -> None:
        work.count(games)
        raise LookupError

    with pytest.raises(LookupError):
        await bench.unit_of_work.run(give_up)
    await bench.unit_of_work.run(play)
    (told,) = games.collect()
    assert told.samples[0].value == 2


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)


@pytest.mark.usefixtures("hasty")
async def test_who_is_slow_for_a_moment_stays_in_service_and_who_is_silent_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = asyncio.Event()

    async def probe() -> str:
        if silent.is_set():
            await asyncio.Event().wait()
        return "answers"

    check = Check(probe, "fail")
    assert await told(check) == ("pass", "answers")
    silent.set()
    assert (await told(check))[0] == "warn"
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.0)
    assert (await told(check))[0] == "fail"
    silent.clear()
    assert await told(check) == ("pass", "answers")


@pytest.mark.usefixtures("hasty")
async def test_who_never_answered_is_not_in_service() -> None:
    async def probe() -> str:
        await asyncio.Event().wait()
        return "never"

    assert (await told(Check(probe, "fail")))[0] == "fail"


async def test_a_database_that_is_away_is_one_trouble(bench: Bench, stack: TestStack) -> None:
    """What else would be asked of it is not known, and nothing is wrong with it."""
    own = {
        "database": health.database_check(bench.database),
        "outbox": health.outbox_check(bench.database),
        "dead letters": health.letters_check(bench.database),
    }
    assert {(await told(check))[0] for check in own.values()} == {"pass"}
    await bench.at_newest_revision()
    own["migrations"] = health.migrations_check(bench.database, bench.settings)
    name = bench.settings.database_url.get_secret_value().rsplit("/", 1)[1]
    admin = await stack.postgres.connect()
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        found = {check: (await told(one)) for check, one in own.items()}
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()
    assert found.pop("database")[0] == "fail"
    assert set(found.values()) == {("warn", health.UNKNOWN)}


@pytest.mark.slow
async def test_a_broker_that_hangs_does_not_answer_though_it_takes_connections(bench: Bench, stack: TestStack) -> None:
    watch = BrokerWatch(bench.settings)
    with pytest.raises(Degraded, match="not asked yet"):
        await watch.verdict()
    await watch.look()
    assert await watch.verdict() == "answers"
    with stack.suspended("kafka"):
        await watch.look()
        with pytest.raises(Degraded, match=f"no broker answers: {bench.settings.kafka_bootstrap}"):
            await watch.verdict()
    await watch.look()
    assert await watch.verdict() == "answers"


async def test_a_broker_of_three_that_is_away_is_named_and_two_are_an_alarm(bench: Bench) -> None:
    there, away = bench.settings.kafka_bootstrap, ["127.0.0.1:1", "127.0.0.1:2"]
    watch = BrokerWatch(bench.settings.model_copy(update={"kafka_bootstrap": f"{away[0]},{there},{there}"}))
    await watch.look()
    assert await watch.verdict() == f"2 of 3 answer; not {away[0]}"
    watch = BrokerWatch(bench.settings.model_copy(update={"kafka_bootstrap": ",".join([*away, there])}))
    await watch.look()
    with pytest.raises(Degraded, match="1 of 3 answer"):
        await watch.verdict()


async def test_a_connection_that_was_cut_in_an_odd_state_is_an_outage_and_given_to_nobody_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncpg then speaks of an internal error of its own: seen when PostgreSQL was stopped in the middle of a statement."""
    before = await bench.database.fetch("SELECT pg_backend_pid()")
    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "fetch", cut)
        with pytest.raises(NoDatabase):
            await bench.database.fetch("SELECT 1")
    assert await bench.database.fetch("SELECT pg_backend_pid()") != before
    assert is_database_away(asyncpg.InternalClientError("cannot switch to state 12"))


async def cut(*_: object, **__: object) -> None:
    raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_what_only_watches_is_begun_again_and_ends_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AIDE_PAUSE_SECONDS", 0.0)
    begun, third = [0], asyncio.Event()

    async def aide() -> None:
        begun[0] += 1
        if begun[0] < 3:
            raise asyncpg.InternalClientError("whatever it is")
        third.set()
        await asyncio.Event().wait()

    keeping = asyncio.create_task(service._kept(aide))
    await asyncio.wait_for(third.wait(), GIVE_UP_SECONDS)
    assert not keeping.done()
    keeping.cancel()
    await asyncio.wait([keeping])
