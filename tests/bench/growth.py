"""g. The books grow: holds, availability and the way to a consumer with ten thousand, a million and ten million bookings.

Each size is a database of its own with an API process of its own, so that all of them can be measured in the same rounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.bench import availability, hold_statement, load
from tests.bench.bench import Bench
from tests.bench.booking_api import BookingApi, booking_api
from tests.bench.history import live_through
from tests.bench.holds import HOLDS_A_SECOND, regulars
from tests.bench.lines import Line, ratio_at_least, ratio_at_most
from tests.bench.log import carriers, delays, outboxes
from tests.bench.pgbench import pgbench
from tests.bench.rounds import Series, interleaved, percentile

CLIENTS = 8
AT_MOST = 1.2
"""How much more it may cost in the largest books than in the smallest."""

Measures = Callable[[Bench, "Books"], Awaitable[float]]


@dataclass(frozen=True)
class Books:
    bookings: int
    api: BookingApi
    script: str


async def measure(bench: Bench) -> list[Line]:
    async with AsyncExitStack() as stack:
        shelf = [await _open(stack, bench, size) for size in sorted(bench.bookings)]
        over_http = await _in_turn(bench, shelf, _hold_over_http)
        by_pgbench = await _in_turn(bench, shelf, _hold_by_pgbench)
        for books in shelf:
            await books.api.club.clear()
            await availability.fill_a_day(books.api.club)
        days = await _in_turn(bench, shelf, _look_at_a_day)
        delays_ms = await _delays_ms(stack, bench, shelf)
    return [
        *_lines(shelf, f"holds over HTTP, {CLIENTS} clients", "/s", over_http),
        *_lines(shelf, f"holds by pgbench, {CLIENTS} clients", "/s", by_pgbench),
        *_lines(shelf, "a day of 50 courts, made anew", "ms", days),
        *_lines(shelf, f"COMMIT to consumer at {delays.DEFAULT_RATE} events/s, p50", "ms", delays_ms),
    ]


async def _open(stack: AsyncExitStack, bench: Bench, size: int) -> Books:
    api = await stack.enter_async_context(
        booking_api(bench, name=f"booking-{size}", regulars=regulars(bench), warm=False)
    )
    await live_through(api.club.connection, size)
    await api.warm()
    return Books(size, api, await hold_statement.script(api.database_url, CLIENTS))


async def _in_turn(bench: Bench, shelf: Sequence[Books], work: Measures) -> list[Series]:
    def of(books: Books) -> Callable[[], Awaitable[float]]:
        return lambda: work(bench, books)

    return list((await interleaved(bench.rounds, {str(books.bookings): of(books) for books in shelf})).values())


async def _hold_over_http(bench: Bench, books: Books) -> float:
    await books.api.club.clear()
    requests = books.api.holds(int(HOLDS_A_SECOND * bench.seconds))
    held = await load.sustain(books.api.url, CLIENTS, bench.seconds, requests)
    held.require(201)
    return held.per_second


async def _hold_by_pgbench(bench: Bench, books: Books) -> float:
    await books.api.club.clear()
    done = await pgbench(bench.stack.postgres, books.api.database, "booking", books.script, CLIENTS, bench.seconds)
    return done.per_second


async def _look_at_a_day(bench: Bench, books: Books) -> float:
    return await availability.mean_ms(books.api.database_url, bench.seconds / 4)


async def _delays_ms(stack: AsyncExitStack, bench: Bench, shelf: Sequence[Books]) -> list[Series]:
    """A whole worker beside each of the books, all but one of them held."""
    ways = [await _way(stack, bench, books) for books in shelf]
    for way in ways:
        await way.delays_ms(delays.DEFAULT_RATE, delays.WARM_UP_EVENTS)

    def median_of(way: delays.Way) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            return percentile(await way.delays_ms(delays.DEFAULT_RATE, int(delays.DEFAULT_RATE * bench.seconds)), 50)

        return measure

    sides = {str(books.bookings): median_of(way) for books, way in zip(shelf, ways, strict=True)}
    return list((await interleaved(bench.rounds, sides)).values())


async def _way(stack: AsyncExitStack, bench: Bench, books: Books) -> delays.Way:
    outbox = await stack.enter_async_context(outboxes.of(bench.stack, books.api.database_url))
    relay = await stack.enter_async_context(carriers.relay(outbox, f"relay-{books.bookings}"))
    return await stack.enter_async_context(delays.way(relay))


def _lines(shelf: Sequence[Books], told: str, unit: str, found: Sequence[Series]) -> list[Line]:
    target = ratio_at_least(round(1 / AT_MOST, 3)) if unit == "/s" else ratio_at_most(AT_MOST)
    least = f"with {shelf[0].bookings:,} bookings"
    first = Line(f"{told}, {least}", unit, found[0])
    return [first] + [
        Line(f"{told}, with {books.bookings:,} bookings", unit, series, least, found[0], target)
        for books, series in zip(shelf[1:], found[1:], strict=True)
    ]
