"""Whatever players, staff, payments and the clock do in whatever order: the service does what a plain model of the rules says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from courtside_contracts.payment import PaymentSucceeded
from services.booking.bookings import mutations
from services.booking.venues.domain import Slot
from services.booking.venues.seed import court_id
from tests.integration.booking.bench import Bench, open_bench
from tests.integration.booking.books import Books, Claim
from tests.integration.booking.in_process import migrate
from tests.integration.booking.slots import BLOCK

EXAMPLES, STEPS = 500, 50
PLAYERS = ("ana", "bo")  # few, so that their bookings meet
COURTS = (court_id(1), court_id(5))  # a 90 and a 60 minute grid
EVE_OF_DST = (date(2026, 10, 23), date(2027, 3, 26))
"""Two days before the clocks of Madrid change, back and forth."""
MICROSECOND = timedelta(microseconds=1)
WINDOW, HOLD = timedelta(hours=24), timedelta(minutes=15)
JUMPS = [timedelta(minutes=1), HOLD - MICROSECOND, HOLD, HOLD, timedelta(hours=3), WINDOW, timedelta(days=3)]


class Club(RuleBasedStateMachine):
    bench: ClassVar[Bench]

    def __init__(self) -> None:
        super().__init__()
        self.bookings: list[Claim] = []
        self.blocks: list[Claim] = []
        self.paid: dict[str, Claim] = {}
        self.bench.run(self.bench.connection.execute("TRUNCATE bookings, court_occupancy, outbox CASCADE"))

    # the clock

    @initialize(day=st.sampled_from(EVE_OF_DST))
    def open(self, day: date) -> None:
        self.bench.clock.time = datetime.combine(day, time(12), UTC)

    @rule(jump=st.sampled_from(JUMPS))
    def let_time_pass(self, jump: timedelta) -> None:
        self.bench.clock.time += jump

    @precondition(lambda self: self.bookings)
    @rule(which=st.integers(0, 4), late=st.sampled_from([timedelta(0), MICROSECOND]))
    def come_to_the_edge_of_the_window(self, which: int, late: timedelta) -> None:
        self.bench.clock.time = max(self.now, self._booking(which).starts_at - WINDOW + late)

    # players, staff, and payments

    @rule(
        player=st.sampled_from(PLAYERS), court=st.sampled_from(COURTS), day=st.integers(0, 2), number=st.integers(0, 3)
    )
    def hold(self, player: str, court: UUID, day: int, number: int) -> None:
        slot = self._slot(court, day, number)
        expected = self._expect_hold(player, slot)
        answer = self.bench.post(
            "/v1/bookings", f"player:{player}", court_id=str(court), starts_at=slot.starts_at.isoformat()
        )
        assert outcome(answer) == expected
        if answer.status_code == 201:
            made = Claim(court, slot.starts_at, slot.ends_at, player, answer.json()["id"], price=slot.price_minor)
            made.hold_expires_at = self.now + HOLD
            self.bookings.append(made)

    def _expect_hold(self, player: str, slot: Slot) -> str:
        if slot.starts_at <= self.now:
            return "slot-in-the-past"
        if not self._make_way(slot):
            return "slot-already-taken"
        if len(self._active(player)) == 2:
            self._end(self._active(player))
        return "done" if len(self._active(player)) < 2 else "active-booking-limit"

    @precondition(lambda self: self.bookings)
    @rule(which=st.integers(0, 4))
    def pay(self, which: int) -> None:
        """In time, late, or for what is paid already."""
        order = f"order-{len(self.paid)}"
        booking = self.paid[order] = self._booking(which)
        self._pay(booking, order)
        if booking.status == "held" or (booking.status == "expired" and self._get_back(booking)):
            booking.order = order
            booking.go("confirmed")
        else:
            booking.refunds.append(order)
            booking.go(booking.status)

    @precondition(lambda self: self.paid)
    @rule(which=st.integers(0, 4))
    def hear_of_a_payment_again(self, which: int) -> None:
        order, booking = list(self.paid.items())[which % len(self.paid)]
        self._pay(booking, order)

    @precondition(lambda self: self.bookings)
    @rule(which=st.integers(0, 4), role=st.sampled_from(["player", "admin"]))
    def cancel(self, which: int, role: str) -> None:
        booking = self._booking(which)
        answer = self.bench.post(f"/v1/bookings/{booking.id}/cancel", self._token(booking, role))
        if booking.status == "confirmed" and role == "player" and self._window_closed(booking):
            assert outcome(answer) == "cancellation-window-closed"
        elif not booking.is_live:
            assert outcome(answer) == "transition-not-possible"
        else:
            assert outcome(answer) == "done"
            booking.refunds += [booking.order] if booking.order else []
            booking.go("cancelled")

    @precondition(lambda self: self.bookings)
    @rule(which=st.integers(0, 4), court=st.sampled_from(COURTS), day=st.integers(0, 2), number=st.integers(0, 3))
    def reschedule(self, which: int, court: UUID, day: int, number: int) -> None:
        booking, slot = self._booking(which), self._slot(court, day, number)
        path = f"/v1/bookings/{booking.id}/reschedule"
        body = {"court_id": str(court), "starts_at": slot.starts_at.isoformat()}
        assert outcome(self.bench.post(path, self._token(booking), **body)) == self._expect_move(booking, slot)

    def _expect_move(self, booking: Claim, slot: Slot) -> str:
        if slot.starts_at <= self.now:
            return "slot-in-the-past"
        if booking.status != "confirmed":
            return "transition-not-possible"
        if self._window_closed(booking):
            return "cancellation-window-closed"
        if not self._make_way(slot, booking):
            return "slot-already-taken"
        booking.court, booking.starts_at, booking.ends_at = slot.court_id, slot.starts_at, slot.ends_at
        booking.go("confirmed")
        return "done"

    @rule(
        court=st.sampled_from(COURTS), day=st.integers(0, 2), number=st.integers(0, 3), later=st.sampled_from([0, 30])
    )
    def block(self, court: UUID, day: int, number: int, later: int) -> None:
        slot, shift = self._slot(court, day, number), timedelta(minutes=later)
        block = Claim(court, slot.starts_at + shift, slot.ends_at + shift, status="blocked")
        stands = self._standing(Slot(court, block.starts_at, block.ends_at, 0))
        made = self.bench.run(self.bench.connection.fetchval(BLOCK, court, block.starts_at, block.ends_at))
        assert bool(made) == (not stands)
        if made:
            self.blocks.append(block)

    @precondition(lambda self: self.blocks)
    @rule(which=st.integers(0, 4))
    def unblock(self, which: int) -> None:
        gone = self.blocks.pop(which % len(self.blocks))
        delete = "DELETE FROM court_occupancy WHERE court_id = $1 AND during = tstzrange($2, $3)"
        self.bench.run(self.bench.connection.execute(delete, gone.court, gone.starts_at, gone.ends_at))

    # the crons

    @rule()
    def expire(self) -> None:
        self.bench.change(lambda work: mutations.expire_all(work, self.bench.office.catalogue))
        self._expire(self.bookings)

    @rule()
    def complete(self) -> None:
        self.bench.change(lambda work: mutations.complete_ended(work, self.bench.office.catalogue))
        self._complete(self.bookings)

    # what must hold after each step

    @invariant()
    def the_database_is_what_the_model_says(self) -> None:
        books = self.bench.run(Books.read(self.bench.connection))
        books.agree_with(self.bookings, self.blocks)
        books.refuse_overlaps()
        books.refuse_a_third_booking()
        books.refuse_gaps_in_versions()
        books.refuse_money_without_use(self.paid)

    # the model

    @property
    def now(self) -> datetime:
        return self.bench.clock.time

    def _booking(self, which: int) -> Claim:
        """The latest are the likeliest."""
        return self.bookings[-1 - which % len(self.bookings)]

    def _slot(self, court: UUID, days: int, number: int) -> Slot:
        venue, found = self.bench.run(self.bench.office.catalogue.court(court))
        return venue.slots(found, venue.local(self.now).date() + timedelta(days=days))[number]

    def _token(self, booking: Claim, role: str = "player") -> str:
        return f"player:{booking.player}" if role == "player" else "admin:boss"

    def _active(self, player: str) -> list[Claim]:
        return [booking for booking in self.bookings if booking.player == player and booking.is_live]

    def _standing(self, slot: Slot, but: Claim | None = None) -> list[Claim]:
        everyone = (*self.bookings, *self.blocks)
        return [one for one in everyone if one.is_live and one is not but and one.overlaps(slot)]

    def _is_overdue(self, booking: Claim) -> bool:
        return booking.status == "held" and booking.hold_expires_at is not None and booking.hold_expires_at <= self.now

    def _make_way(self, slot: Slot, but: Claim | None = None) -> bool:
        """Holds that are over end when somebody can have their place; otherwise all stays as it is."""
        standing = self._standing(slot, but)
        if not all(map(self._is_overdue, standing)):
            return False
        self._expire(standing)
        return True

    def _expire(self, bookings: list[Claim]) -> None:
        for booking in filter(self._is_overdue, bookings):
            booking.go("expired")

    def _complete(self, bookings: list[Claim]) -> None:
        for booking in bookings:
            if booking.status == "confirmed" and booking.ends_at <= self.now:
                booking.go("completed")

    def _end(self, bookings: list[Claim]) -> None:
        """Who needs a seat waits for no cron."""
        self._expire(bookings)
        self._complete(bookings)

    def _get_back(self, booking: Claim) -> bool:
        if booking.starts_at <= self.now:
            return False
        slot = Slot(booking.court, booking.starts_at, booking.ends_at, booking.price)
        self._end(self._standing(slot) + self._active(booking.player))
        return not self._standing(slot) and len(self._active(booking.player)) < 2

    def _window_closed(self, booking: Claim) -> bool:
        return self.now > booking.starts_at - WINDOW

    def _pay(self, booking: Claim, order: str) -> None:
        payment = PaymentSucceeded(
            booking_id=UUID(booking.id),
            attempt_id=uuid4(),
            amount_minor=booking.price,
            currency="EUR",
            order_id=order,
            paid_at=self.now,
        )
        self.bench.change(lambda work: mutations.take_payment(work, self.bench.office.catalogue, payment))


def outcome(answer: httpx.Response) -> str:
    return "done" if answer.is_success else str(answer.json()["code"])


@pytest.fixture
async def empty_club(new_database: Callable[[str], Awaitable[str]]) -> str:
    url = await new_database("booking")
    await migrate(url)
    return url


@pytest.fixture
def bench(empty_club: str) -> Iterator[Bench]:
    """Hypothesis is not asynchronous: the service runs on a loop of its own, between its steps."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield runner.run(open_bench(stack, empty_club))
        runner.run(stack.aclose())
    structlog.reset_defaults()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_order_of_events_breaks_a_rule(bench: Bench) -> None:
    Club.bench = bench
    examples = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        derandomize=True,
        deadline=None,
        print_blob=True,
        database=None,
    )
    run_state_machine_as_test(Club, settings=examples)
