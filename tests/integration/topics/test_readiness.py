"""A worker without its topics takes no work; whoever asks is told what is wrong, and which command mends it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from courtside_contracts.topics import PAYMENT_EVENTS
from deploy.local.environment import HOST
from deploy.local.processes import Part
from deploy.topics.provisioning import provision
from services.booking.settings import BookingSettings
from services.chassis.health import Check, Degraded
from services.chassis.topics import used_by
from services.chassis.topics_watch import TopicsWatch, WrongTopics
from tests.integration.chassis.conftest import until
from tests.integration.topics.conftest import Installation
from tests.ports import free_port
from tests.stack import TestStack

pytestmark = pytest.mark.slow


def watch(installation: Installation, bootstrap: str = "", min_insync_replicas: int | None = None) -> TopicsWatch:
    settings = BookingSettings(
        database_url=SecretStr("postgresql://not-asked"),
        kafka_bootstrap=bootstrap or installation.settings.kafka_bootstrap,
        topic_prefix=installation.settings.topic_prefix,
        min_insync_replicas=min_insync_replicas,
    )
    return TopicsWatch(settings, used_by("booking", [PAYMENT_EVENTS]))


async def test_topics_that_are_as_they_must_be(provisioned: Installation) -> None:
    topics = watch(provisioned)
    await topics.look()
    assert await topics.verdict() == "9 topics are as they must be"


async def test_nothing_is_ready_before_the_first_look(provisioned: Installation) -> None:
    with pytest.raises(WrongTopics, match="not been looked at yet"):
        await watch(provisioned).verdict()


async def test_a_topic_that_is_missing_or_wrong_is_named_with_the_command_that_mends_it(
    provisioned: Installation,
) -> None:
    await provisioned.delete("booking.dlt")
    await provisioned.set("booking.retry.1m", message_timestamp_type="CreateTime")
    topics = watch(provisioned)
    await topics.look()
    with pytest.raises(WrongTopics) as wrong:
        await topics.verdict()
    assert f"{provisioned.name('booking.dlt')} is not there" in str(wrong.value)
    assert f"{provisioned.name('booking.retry.1m')} has message.timestamp.type=CreateTime" in str(wrong.value)
    assert "`courtside topics apply` mends it" in str(wrong.value)

    await provision(provisioned.settings)
    await topics.look()
    assert await topics.verdict()


async def test_a_topic_that_keeps_its_records_too_short_a_time_makes_nobody_ready(provisioned: Installation) -> None:
    await provisioned.set("booking.dlt", retention_ms="3600000")
    topics = watch(provisioned)
    await topics.look()
    with pytest.raises(WrongTopics, match=r"booking\.dlt keeps records for 3600000 ms, not 7776000000 ms"):
        await topics.verdict()


async def test_records_that_lie_on_too_few_brokers_are_a_warning(provisioned: Installation) -> None:
    """The one broker of the tests keeps one replica: so the setting asks for more."""
    topics = watch(provisioned, min_insync_replicas=2)
    await topics.look()
    with pytest.raises(Degraded, match="when 1 of 1 brokers have it, not 2"):
        await topics.verdict()
    assert (await Check(topics.verdict, "fail").run())["status"] == "warn"


async def test_topics_of_others_are_no_matter(provisioned: Installation) -> None:
    await provisioned.delete("payments.polar-webhooks")
    topics = watch(provisioned)
    await topics.look()
    assert await topics.verdict()


async def test_a_broker_that_is_away_makes_nobody_unready(provisioned: Installation) -> None:
    topics = watch(provisioned, bootstrap="127.0.0.1:1")
    await topics.look()
    with pytest.raises(Degraded):
        await topics.verdict()
    assert (await Check(topics.verdict, "fail").run())["status"] == "warn"


async def test_a_worker_waits_for_its_topics_and_an_api_does_not(
    provisioned: Installation, idle_stack: TestStack, new_database: Callable[[str], Awaitable[str]]
) -> None:
    await provisioned.delete("booking.retry.5s")
    told = {
        "BOOKING_DATABASE_URL": await new_database("booking"),
        "BOOKING_KAFKA_BOOTSTRAP": provisioned.settings.kafka_bootstrap,
        "BOOKING_TOPIC_PREFIX": provisioned.settings.topic_prefix,
    }
    await idle_stack.run("migrate-waiting", "services.booking", "migrate", **told)
    api, worker = (_start(idle_stack, role, **told) for role in ("api", "worker"))
    async with httpx.AsyncClient(trust_env=False) as http:

        async def asked(url: str) -> tuple[int, dict[str, Any]]:
            try:
                answer = await http.get(url)
            except httpx.TransportError:
                return 0, {}
            return answer.status_code, answer.json()["checks"]["topics"][0]

        missing = f"{provisioned.name('booking.retry.5s')} is not there"
        for url, code, status in ((worker, 503, "fail"), (api, 200, "warn")):
            seen = await until("a look", partial(asked, url), lambda found: missing in str(found))
            assert (seen[0], seen[1]["status"]) == (code, status)
        await provision(provisioned.settings)
        assert (await until("a worker that is ready", partial(asked, worker), lambda found: found[0] == 200))[0] == 200
    for role in ("api", "worker"):
        await idle_stack.stop(f"waiting-{role}")


def _start(stack: TestStack, role: str, **told: str) -> str:
    """Its /readyz, while it may not be ready yet."""
    port = free_port()
    environment = stack.environment("booking", **told, BOOKING_HTTP_PORT=str(port))
    url = f"http://{HOST}:{port}/readyz"
    command = (sys.executable, "-m", "services.booking", role)
    stack.processes.start(Part(f"waiting-{role}", command, environment, url))
    return url
