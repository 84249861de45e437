"""A provider that is down is left alone, and nobody's booking runs out of attempts meanwhile."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import timedelta

import pytest

from services.chassis.breaker import Breaker
from services.chassis.consuming import Delivery
from services.chassis.retrying import Transient, first_headers
from tests.integration.chassis.conftest import Bench, Called, Noted, until

FAILURES = 3


@dataclasses.dataclass
class Provider:
    """As an adapter calls it: down until it is up."""

    bench: Bench
    up: bool = False
    calls: int = 0
    breaker: Breaker = dataclasses.field(
        default_factory=lambda: Breaker("test", failures_to_open=FAILURES, open_seconds=1.0)
    )

    async def handle(self, delivery: Delivery[Called]) -> None:
        with self.breaker.calling():
            self.calls += 1
            if not self.up:
                raise Transient("no answer")
        await Bench.call(self.bench, delivery)


@pytest.fixture
def provider(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider(bench)
    consumers = dataclasses.replace(bench.consumers, calling_out={Called: provider.handle}, breaker=provider.breaker)
    monkeypatch.setattr(Bench, "consumers", property(lambda _: consumers))
    bench.settings.retry_delays = (timedelta(seconds=1),) * 4
    return provider


async def test_an_outage_costs_a_few_calls_and_no_record_an_attempt(bench: Bench, provider: Provider) -> None:
    events = [Called(name=f"booking {number}", number=number) for number in range(40)]
    waiting_room = f"{bench.settings.topic_prefix}payments.retry.1m"
    async with bench.working():
        await bench.publish(*events, Noted(name="needs no provider", number=1))
        await bench.until(("needs no provider", 1))
        # Each has been put off several times over: far more often than the ladder has steps.
        waited = await bench.read(waiting_room, 3 * len(events))
        attempts = {record.key: int(first_headers(record.headers)["x-attempt"]) for record in waited}
        calls_while_down = provider.calls
        provider.up = True
        await until("all effects", bench.effects, lambda seen: len(seen) > len(events))
    assert sum(attempts.values()) <= calls_while_down, "only a call counts as an attempt"
    assert calls_while_down < len(events), "most were turned away without a call"
    found = Counter(await bench.effects())
    assert found == {**{(event.name, event.number): 1 for event in events}, ("needs no provider", 1): 1}
    assert await bench.count(bench.dead_letters) == 0
