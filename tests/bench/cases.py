"""All cases by the letter that the issue of the proof gave them: `make bench ONLY=a,f`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from tests.bench import at_rest, availability, growth, holds, one_slot, webhooks
from tests.bench.bench import Bench
from tests.bench.lines import Line
from tests.bench.log import consuming, delays, draining, mailing

Case = Callable[[Bench], Awaitable[Sequence[Line]]]
"""Sets up what it needs, measures in interleaved rounds, and leaves nothing running but PostgreSQL and Kafka."""

CASES: Mapping[str, Case] = {
    "a": holds.measure,
    "b": one_slot.measure,
    "c": delays.measure,
    "d": draining.measure,
    "e": consuming.measure,
    "f": availability.measure,
    "g": growth.measure,
    "h": mailing.measure,
    "i": at_rest.measure,
    "j": webhooks.measure,
}
