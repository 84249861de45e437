"""Compares what we know with what Polar knows, mends what is safe to mend, and lists the rest.

Webhooks are the fast path, this is the guarantee: with all of them lost, bookings are confirmed and refunds followed by it alone. Whatever
differs is looked at anew and taken up exactly as a webhook would have it taken up.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from prometheus_client import Counter as Count
from prometheus_client import Gauge

from services.chassis.retrying import Failure, Fatal, Transient
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.payments.actions import Polar
from services.payments.checkouts.domain import Checkout, attempt_named_in
from services.payments.checkouts.mutations import lapse_overdue
from services.payments.checkouts.queries import unfinished
from services.payments.history.domain import RECONCILER
from services.payments.orders import queries as orders
from services.payments.orders.mutations import take_up
from services.payments.reconciliation import actions, mutations, queries
from services.payments.reconciliation.domain import KINDS, MARGIN, PATIENCE, Difference, Repair, since
from services.payments.refunds.actions import look
from services.payments.refunds.queries import orders_unfinished

log = structlog.get_logger()

DIFFERENCES = Gauge(
    "courtside_reconciliation_differences", "What the last comparison with Polar left. Must be 0", ["kind"]
)
REPAIRED = Count("courtside_reconciliation_repairs_total", "What comparisons with Polar made up for", ["what"])
PAGE_LIFE = timedelta(days=1)
NOBODY = UUID(int=0)


@dataclass
class Findings:
    """Of one comparison."""

    seen: Counter[str] = field(default_factory=Counter)
    repaired: Counter[Repair] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    to_look_at: dict[str, Repair] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)


@dataclass(frozen=True)
class Reconciler:
    polar: Polar
    unit_of_work: UnitOfWorkFactory

    patience: timedelta = PATIENCE
    """Until a charge without an order counts as such: Polar makes the one a moment after the other."""

    async def carry_on(self) -> int:
        """From where the last comparison began, or everything when that was not done within a day. How much it mended."""
        async with self.unit_of_work() as work:
            begin_at = since(await queries.compared(work.session, work.now), work.now)
            reconciliation_id = await mutations.begin(work, begin_at, RECONCILER)
        return await self.run(reconciliation_id, begin_at)

    async def run(self, reconciliation_id: UUID, since: datetime | None) -> int:
        """A comparison that was begun. What goes wrong is written down with what was found all the same, and raised."""
        found = Findings()
        try:
            with self.polar.breaker.admission():
                await self._compare(found, since)
        except Exception as error:  # noqa: BLE001 - raised below, when it is written down
            found.failures.append(error)
        failure = "; ".join(f"{type(error).__name__}: {error}" for error in found.failures)[:500] or None
        async with self.unit_of_work() as work:
            found.differences += await queries.left(work.session, work.now)
            await mutations.end(work, reconciliation_id, found.seen, found.repaired, found.differences, failure)
        self._tell(found)
        if found.failures:
            raise found.failures[0]
        return found.repaired.total()

    async def show_differences(self) -> None:
        """Those that stand, whichever worker found them: keeps the gauge."""
        async with self.unit_of_work() as work:
            counted = await queries.standing(work.session, work.now)
        for kind in KINDS:
            DIFFERENCES.labels(kind).set(counted[kind])

    async def _compare(self, found: Findings, since: datetime | None) -> None:
        """What one part cannot read hides nothing that another finds."""
        parts = (
            self._compare_orders,
            self._compare_refunds,
            self._compare_pages,
            self._look_where_it_differs,
            self._look_for_charges,
            self._look_for_endpoints,
        )
        for part in parts:
            try:
                await part(found, since)
            except (Failure, ValueError) as error:
                found.failures.append(error)

    async def _compare_orders(self, found: Findings, since: datetime | None) -> None:
        async with self.unit_of_work() as work:
            long_ago = work.now - MARGIN
        orders_seen = set[str]()
        async for page in actions.orders(self.polar, since):
            found.seen["orders"] += len(page.items)
            orders_seen |= {order.id for order in page.items} | set(page.unreadable)
            found.to_look_at |= dict.fromkeys(page.unreadable, "order taken up")
            async with self.unit_of_work() as work:
                found.to_look_at |= await queries.other_orders(work.session, page.items)
        if since is None:
            async with self.unit_of_work() as work:
                missing = await orders.ids_recorded(work.session, long_ago) - orders_seen
            found.differences += [Difference("order not at Polar", order_id) for order_id in sorted(missing)]

    async def _compare_refunds(self, found: Findings, since: datetime | None) -> None:
        async for page in actions.refunds(self.polar, since):
            found.seen["refunds"] += len(page.items)
            odd: Mapping[str, Repair] = dict.fromkeys(page.unreadable, "refunds taken up")
            async with self.unit_of_work() as work:
                found.to_look_at = {**odd, **await queries.other_refunds(work.session, page.items), **found.to_look_at}
        async with self.unit_of_work() as work:
            pending: Mapping[str, Repair] = dict.fromkeys(await orders_unfinished(work.session), "refunds taken up")
            found.to_look_at = {**pending, **found.to_look_at}

    async def _compare_pages(self, found: Findings, since: datetime | None) -> None:
        async for page in actions.checkouts(self.polar, since and since - PAGE_LIFE):
            found.seen["pages"] += len(page.items)
            found.differences += [Difference("page unreadable", checkout_id) for checkout_id in page.unreadable]
            await self._take_up_pages(found, page.items)
        async with self.unit_of_work() as work:
            ended = await lapse_overdue(work, RECONCILER)
            found.repaired.update({"page ended": ended} if ended else {})

    async def _take_up_pages(self, found: Findings, pages: Sequence[Checkout]) -> None:
        named = {one.id: attempt_named_in(one.metadata) for one in pages}
        async with self.unit_of_work() as work:
            attempts = await unfinished(work.session, [one for one in named.values() if one])
            for one in pages:
                if attempt := attempts.get(named[one.id] or NOBODY):
                    repair = await mutations.take_up_page(work, attempt, one)
                    found.repaired.update([repair] if repair else [])

    async def _look_where_it_differs(self, found: Findings, _: datetime | None) -> None:
        """One order that cannot be read keeps no other from being looked at; Polar that answers nothing any more does. In no order, so
        that the same ones never stand before all the others.
        """
        in_a_row = 0
        for order_id in random.sample(list(found.to_look_at), len(found.to_look_at)):
            try:
                await self._look(found, order_id, found.to_look_at[order_id])
                in_a_row = 0
            except Transient as error:
                found.failures.append(error)
                in_a_row += 1
            if in_a_row == self.polar.breaker.failures_to_open:
                return

    async def _look(self, found: Findings, order_id: str, repair: Repair) -> None:
        """Only what changed something counts as mended: a refund that is pending on both sides is looked at each time."""
        try:
            seen = await actions.paced(partial(look, self.polar, order_id))
        except Fatal as error:
            found.differences.append(Difference("order unreadable", order_id, str(error)))
            return
        async with self.unit_of_work() as work:
            if await take_up(work, seen, self.polar.product_id, RECONCILER):
                found.repaired[repair] += 1

    async def _look_for_charges(self, found: Findings, since: datetime | None) -> None:
        async with self.unit_of_work() as work:
            before = work.now - self.patience
        charges = await actions.charges_without_order(self.polar, since and since - PAGE_LIFE, before)
        found.differences += [Difference("charge without order", charge) for charge in charges]

    async def _look_for_endpoints(self, found: Findings, _: datetime | None) -> None:
        disabled = await actions.disabled_endpoints(self.polar)
        found.differences += [Difference("webhooks disabled", url) for url in disabled]

    def _tell(self, found: Findings) -> None:
        for repair, number in found.repaired.items():
            REPAIRED.labels(repair).inc(number)
        told = {"seen": dict(found.seen), "repaired": dict(found.repaired)}
        if found.differences:
            log.error("Polar differs", differences=len(found.differences), first=str(found.differences[0]), **told)
        else:
            log.info("Polar agrees", **told)
