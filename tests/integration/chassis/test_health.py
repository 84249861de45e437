"""What a process says of itself, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import text

from services.chassis import health, migrations
from services.chassis.breaker import Breaker
from services.chassis.clock import DatabaseClock
from services.chassis.health import Check
from services.chassis.retrying import Transient
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Bench


async def told(check: Check) -> tuple[str, str]:
    result = await check.run()
    return result["status"], result["output"]


async def at_revision(bench: Bench, revision: str) -> None:
    async with bench.database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num text)"))
        await connection.execute(text("DELETE FROM alembic_version"))
        await connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


async def test_a_database_that_is_behind_the_code_takes_the_process_out_of_service(bench: Bench) -> None:
    newest, before, *_ = migrations.revisions(bench.settings.service)
    check = health.migrations_check(bench.database, bench.settings)
    assert (await told(check))[0] == "fail", "never migrated"
    await at_revision(bench, before)
    assert await told(check) == (
        "fail",
        f"the database is at {before}, this process needs {newest}: run `migrate` of this version",
    )
    await at_revision(bench, newest)
    assert await told(check) == ("pass", f"at {newest}")


async def test_a_database_that_is_ahead_is_a_deployment_under_way(bench: Bench) -> None:
    await at_revision(bench, "9999")
    assert (await told(health.migrations_check(bench.database, bench.settings)))[0] == "pass"


async def test_a_state_keeps_its_beginning_until_it_changes(bench: Bench) -> None:
    check = health.migrations_check(bench.database, bench.settings)
    first, second = await check.run(), await check.run()
    assert first["since"] == second["since"] <= second["time"]
    await at_revision(bench, migrations.revisions(bench.settings.service)[0])
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
