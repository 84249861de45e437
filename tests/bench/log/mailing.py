"""Case h: from a player's click on Book to the moment at which the mail provider has the mail, and where that time goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import median

import httpx

from tests.bench.bench import Bench
from tests.bench.lines import Line
from tests.bench.log.journeys import Club
from tests.bench.log.paths import path, steps
from tests.bench.log.waiting import until
from tests.bench.rounds import Series, percentile
from tests.otlp import Receiver, Told, receiving

RATES = (1, 20)
"""Bookings a second: a busy club, and the first minute of a day that opens for booking."""
BOOKINGS_MIN = 20
WARM_UP_BOOKINGS = 10
SEND = ("notifications", "client", "POST 127.0.0.1")
"""The call to Resend."""
CLICK, PAID = "POST /v1/bookings", "polar webhook"


async def measure(bench: Bench) -> Sequence[Line]:
    async with _club(bench) as club, receiving() as collector:
        await club.start()
        await club.journeys(RATES[0], WARM_UP_BOOKINGS)
        lines = [line for rate in RATES for line in await _took(bench, club, rate)]
        await club.start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="200")
        await club.journeys(RATES[0], WARM_UP_BOOKINGS)
        return [*lines, *[line for rate in RATES for line in await _where(bench, club, collector, rate)]]


@asynccontextmanager
async def _club(bench: Bench) -> AsyncIterator[Club]:
    stack = bench.stack
    await stack.start_kafka()
    await asyncio.gather(
        stack.install(), stack.start_standin("polar"), stack.start_standin("resend", RESEND_STANDIN_RATE_PER_S="0")
    )
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        yield Club(stack, client)


async def _took(bench: Bench, club: Club, rate: int) -> list[Line]:
    rounds = [await club.journeys(rate, _bookings(bench, rate)) for _ in range(bench.rounds)]
    took = [[journey.took_ms for journey in journeys] for journeys in rounds]
    return [
        Line(f"click to mail at {rate}/s, p{percent}", "ms", Series.of(percentile(each, percent) for each in took))
        for percent in (50, 99)
    ]


async def _where(bench: Bench, club: Club, collector: Receiver, rate: int) -> list[Line]:
    """The median of each step, with spans recorded: all of them together take longer than without."""
    collector.spans.clear()
    journeys = await club.journeys(rate, _bookings(bench, rate))
    sends = await _sends(collector, len(journeys))
    prefix = club.stack.installation.topic_prefix
    ways = [steps(path(collector.of_trace(send.trace_id), send), prefix) for send in sends]
    names = [step.name for step in ways[0]]
    paying = median((journey.paid_at - journey.payable_at) * 1000 for journey in journeys)
    return [
        *(
            Line(
                f"at {rate}/s, step {number + 1}, {name}",
                "ms",
                Series.of([median(way[number].took_ms for way in ways)]),
            )
            for number, name in enumerate(names)
        ),
        Line(f"at {rate}/s, of these the player's own two requests to Polar", "ms", Series.of([paying])),
    ]


async def _sends(collector: Receiver, bookings: int) -> list[Told]:
    """The calls that sent the mails of these bookings' confirmations."""

    async def look() -> list[Told]:
        return [span for span in collector.spans if _is_confirmation(collector, span)]

    return await until(f"{bookings} traces", look, lambda found: len(found) >= bookings, every_seconds=0.5)


def _is_confirmation(collector: Receiver, span: Told) -> bool:
    """Only what follows from a click and from a payment."""
    if (span.service, span.kind, span.name) != SEND:
        return False
    way = [one.name for one in path(collector.of_trace(span.trace_id), span)]
    return way[0] == CLICK and PAID in way


def _bookings(bench: Bench, rate: int) -> int:
    return max(BOOKINGS_MIN, int(rate * bench.seconds))
