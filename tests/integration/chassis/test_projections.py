"""What is copied from elsewhere never waits behind the work that reads the copy."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from aiokafka import TopicPartition
from sqlalchemy import text

from courtside_contracts.topics import BOOKING_EVENTS, USER_PROFILES
from services.chassis import pipeline
from services.chassis.consuming import Delivery
from services.chassis.retrying import Overtaken, first_headers
from tests.integration.chassis.conftest import Bench, Called, Known, Noted

pytestmark = pytest.mark.slow


async def test_a_profile_is_known_while_a_long_call_of_another_player_goes_on(bench: Bench) -> None:
    called, ended = asyncio.Event(), asyncio.Event()

    async def slow(delivery: Delivery[Called]) -> None:
        called.set()
        await ended.wait()
        await Bench.call(bench, delivery)

    bench.call = slow  # type: ignore[method-assign]
    async with bench.working():
        await bench.publish(Called(name="slow", number=1))
        await called.wait()
        await bench.publish(Known(name="ana", number=1))
        found = await bench.until_effects(1)
        ended.set()
        await bench.until_effects(2)
    assert found == [("ana", 1)]


async def test_projections_are_committed_in_a_group_of_their_own(bench: Bench) -> None:
    async with bench.working():
        await bench.publish(Known(name="ana", number=1), Noted(name="a", number=1))
        await bench.until_effects(2)
        await bench.until_committed()
        await bench.until_committed(topic=USER_PROFILES, group=".projections")
    profiles = TopicPartition(bench.settings.topic_prefix + USER_PROFILES.name, 0)
    assert await bench.committed(profiles) is None


async def test_what_is_paced_is_read_by_a_consumer_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nothing else waits for the provider's pace with it."""
    paced = dataclasses.replace(bench.consumers, paced=(BOOKING_EVENTS,))
    monkeypatch.setattr(Bench, "consumers", paced)
    async with bench.working():
        await bench.publish(Called(name="ana", number=1), Known(name="ben", number=1))
        await bench.until_effects(2)
        await bench.until_committed(group=".paced")
        await bench.until_committed(topic=USER_PROFILES, group=".projections")
    assert await bench.committed(TopicPartition(bench.settings.topic_prefix + BOOKING_EVENTS.name, 0)) is None


async def test_a_projection_that_fails_is_tried_again_over_the_services_own_ladder(bench: Bench) -> None:
    async with bench.working():
        await bench.publish(Known(name="ana", number=1, fails="at first"), Known(name="ben", number=1, fails="fatally"))
        assert await bench.until_effects(1) == [("ana", 1)]
        (waited,) = await bench.read(f"{bench.settings.topic_prefix}payments.retry.5s", 1)
        (dead,) = await bench.read(bench.dead_letters, 1)
        await bench.until_committed(topic=USER_PROFILES, group=".projections")
    assert (waited.key, dead.key) == (b"ana", b"ben")
    assert first_headers(dead.headers)["x-original-topic"] == (bench.settings.topic_prefix + Known.topic).encode()


async def test_a_first_booking_waits_a_moment_for_the_profile_that_it_overtook(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not five seconds on the first tier. The moments are long here: how far a profile lags behind is up to the machine."""
    monkeypatch.setattr(pipeline, "MOMENTS_SECONDS", (0.05, 0.25, *[1.0] * 30))

    async def greet(delivery: Delivery[Called]) -> None:
        async with delivery.once() as work:
            asked: dict[str, Any] = {"key": delivery.event.name}
            known = await work.session.execute(text("SELECT 1 FROM effects WHERE key = :key AND number = 0"), asked)
            if not known.all():
                raise Overtaken("no profile yet")
            await bench.note(work, delivery.event)

    bench.call = greet  # type: ignore[method-assign]
    players = [f"player {number}" for number in range(30)]
    async with bench.working():
        for player in players:
            await bench.publish(Called(name=player, number=1))
            await bench.publish(Known(name=player, number=0))
        await bench.until_effects(60)
        await bench.until_committed()
    assert await bench.count(f"{bench.settings.topic_prefix}payments.retry.5s") == 0
