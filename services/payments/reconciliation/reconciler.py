"""Compares what we know with what Polar knows, mends what is safe to mend, and lists the rest.

Webhooks are the fast path, this is the guarantee: with all of them lost, bookings are confirmed and refunds followed by it alone. Whatever
differs is looked at anew and taken up exactly as a webhook would have it taken up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter as Count
from prometheus_client import Gauge

from services.chassis.retrying import Fatal
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.payments.actions import Polar
from services.payments.checkouts.domain import attempt_named_in
from services.payments.checkouts.mutations import lapse_overdue
from services.payments.checkouts.queries import unfinished
from services.payments.history.domain import RECONCILER
from services.payments.orders import queries as orders
from services.payments.orders.mutations import take_up
from services.payments.reconciliation import actions, mutations, queries
from services.payments.reconciliation.domain import KINDS, Difference, Repair, since
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
    orders_seen: set[str] = field(default_factory=set)
    to_look_at: dict[str, Repair] = field(default_factory=dict)


@dataclass(frozen=True)
class Reconciler:
    polar: Polar
    unit_of_work: UnitOfWorkFactory

    async def carry_on(self) -> int:
        """From where the last comparison began. How much it mended."""
        async with self.unit_of_work() as work:
            begin_at = since(await queries.last_start(work.session))
            reconciliation_id = await mutations.begin(work, begin_at, RECONCILER)
        return await self.run(reconciliation_id, begin_at)

    async def compare_all(self) -> int:
        """Everything there ever was. How much it mended."""
        async with self.unit_of_work() as work:
            reconciliation_id = await mutations.begin(work, None, RECONCILER)
        return await self.run(reconciliation_id, None)

    async def run(self, reconciliation_id: UUID, since: datetime | None) -> int:
        """A comparison that was begun. What goes wrong is written down with it, and raised."""
        found = Findings()
        try:
            with self.polar.breaker.admission():
                await self._compare(found, since)
        except Exception as error:
            async with self.unit_of_work() as work:
                told = f"{type(error).__name__}: {error}"[:500]
                await mutations.end(work, reconciliation_id, found.seen, found.repaired, found.differences, told)
            raise
        async with self.unit_of_work() as work:
            found.differences += await queries.left(work.session, work.now)
            await mutations.end(work, reconciliation_id, found.seen, found.repaired, found.differences)
        self._tell(found)
        return found.repaired.total()

    async def show_differences(self) -> None:
        """Those of the last comparison, whichever worker made it: keeps the gauge."""
        async with self.unit_of_work() as work:
            last = await queries.last_end(work.session)
        counted = Counter(difference["kind"] for difference in last.differences) if last else {}
        for kind in KINDS:
            DIFFERENCES.labels(kind).set(counted.get(kind, 0))

    async def _compare(self, found: Findings, since: datetime | None) -> None:
        await self._compare_orders(found, since)
        await self._compare_refunds(found, since)
        await self._compare_pages(found, since and since - PAGE_LIFE)
        for order_id, repair in found.to_look_at.items():
            await self._look(found, order_id, repair)
        if since is None:
            await self._look_for_the_missing(found)
        charges = await actions.charges_without_order(self.polar, since and since - PAGE_LIFE)
        found.differences += [Difference("charge without order", charge) for charge in charges]
        disabled = await actions.disabled_endpoints(self.polar)
        found.differences += [Difference("webhooks disabled", url) for url in disabled]

    async def _compare_orders(self, found: Findings, since: datetime | None) -> None:
        async for page in actions.orders(self.polar, since):
            found.seen["orders"] += len(page)
            found.orders_seen |= {order.id for order in page}
            async with self.unit_of_work() as work:
                found.to_look_at |= await queries.other_orders(work.session, page)

    async def _compare_refunds(self, found: Findings, since: datetime | None) -> None:
        async for page in actions.refunds(self.polar, since):
            found.seen["refunds"] += len(page)
            async with self.unit_of_work() as work:
                found.to_look_at = await queries.other_refunds(work.session, page) | found.to_look_at
        async with self.unit_of_work() as work:
            pending: Mapping[str, Repair] = dict.fromkeys(await orders_unfinished(work.session), "refunds taken up")
            found.to_look_at = {**pending, **found.to_look_at}

    async def _compare_pages(self, found: Findings, since: datetime | None) -> None:
        async for page in actions.checkouts(self.polar, since):
            found.seen["pages"] += len(page)
            named = {one.id: attempt_named_in(one.metadata) for one in page}
            async with self.unit_of_work() as work:
                attempts = await unfinished(work.session, [one for one in named.values() if one])
                for one in page:
                    if attempt := attempts.get(named[one.id] or NOBODY):
                        repair = await mutations.take_up_page(work, attempt, one)
                        found.repaired.update([repair] if repair else [])
        async with self.unit_of_work() as work:
            ended = await lapse_overdue(work, RECONCILER)
            found.repaired.update({"page ended": ended} if ended else {})

    async def _look(self, found: Findings, order_id: str, repair: Repair) -> None:
        """Only what changed something counts as mended: a refund that is pending on both sides is looked at each time."""
        try:
            seen = await look(self.polar, order_id)
        except Fatal as error:
            found.differences.append(Difference("order unreadable", order_id, str(error)))
            return
        async with self.unit_of_work() as work:
            if await take_up(work, seen, self.polar.product_id, RECONCILER):
                found.repaired[repair] += 1

    async def _look_for_the_missing(self, found: Findings) -> None:
        async with self.unit_of_work() as work:
            missing = await orders.all_ids(work.session) - found.orders_seen
        found.differences += [Difference("order not at Polar", order_id) for order_id in sorted(missing)]

    def _tell(self, found: Findings) -> None:
        for repair, number in found.repaired.items():
            REPAIRED.labels(repair).inc(number)
        told = {"seen": dict(found.seen), "repaired": dict(found.repaired)}
        if found.differences:
            log.error("Polar differs", differences=len(found.differences), first=str(found.differences[0]), **told)
        else:
            log.info("Polar agrees", **told)
