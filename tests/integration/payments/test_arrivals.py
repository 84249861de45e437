"""Whatever comes in whichever order, and twice: one charge is kept for a booking that stands, and everything else goes back."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.integration.payments.exchange import Exchange, Visit

FIVE = ("paid", "expired", "cancelled", "second paid", "refunded")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Story:
    """One booking to which the five things happen. `stray` is a second page of its attempt, that was never shown."""

    exchange: Exchange
    visit: Visit
    stray: str
    order_id: str = ""
    second_id: str = ""

    @classmethod
    async def begin(cls, exchange: Exchange, visit: Visit) -> Story:
        await exchange.look_at_page(visit)
        return cls(exchange, visit, await exchange.second_page(visit))

    async def happens(self, what: str) -> None:
        happenings: dict[str, Callable[[], Awaitable[object]]] = {
            "paid": self.paid,
            "expired": lambda: self.twice(lambda: self.exchange.expire(self.visit)),
            "cancelled": lambda: self.twice(lambda: self.exchange.cancel(self.visit)),
            "second paid": self.second_paid,
            "refunded": self.refunded,
        }
        await happenings[what]()

    async def twice(self, do: Callable[[], Awaitable[object]]) -> None:
        await do()
        await do()

    async def paid(self) -> None:
        await self.charge()
        await self.tell("order.paid", self.order_id, self.visit.checkout_id)

    async def second_paid(self) -> None:
        self.second_id = await self.exchange.pay_at(self.stray)
        await self.tell("order.paid", self.second_id, self.stray)

    async def refunded(self) -> None:
        """By Polar on its own, before or after we hear of the payment; unless all of it has gone back already."""
        await self.charge()
        if (await self.exchange.payments.polar.client.orders.get(self.order_id)).refundable_amount:
            await self.exchange.payments.standin.pull(f"orders/{self.order_id}/refund")
        await self.tell("order.refunded", self.order_id, self.visit.checkout_id)

    async def charge(self) -> None:
        self.order_id = self.order_id or await self.exchange.pay(self.visit)

    async def tell(self, kind: str, order_id: str, checkout_id: str) -> None:
        """Redelivered under the same id, and as from a second endpoint."""
        first = str(uuid4())
        for webhook_id in (first, first, str(uuid4())):
            await self.exchange.webhook(kind, webhook_id, id=order_id, checkout_id=checkout_id)

    async def end(self) -> tuple[object, ...]:
        ledger = await self.exchange.ledger(self.visit)
        stands = await self.exchange.status(self.visit) in ("held", "confirmed")
        told = await self.exchange.events(self.visit)
        back = told.count("payment.refunded"), told.count("payment.refund_failed")
        return stands, ledger["charges"], ledger["refunds"], ledger["balance_minor"], back


async def begin(exchange: Exchange, number: int) -> list[Story]:
    visits = [await exchange.hold_unheard() for _ in range(number)]
    await exchange.carry()
    return [await Story.begin(exchange, visit) for visit in visits]


@pytest.mark.parametrize("heard", ["at once", "at the end"])
async def test_paid_expired_cancelled_paid_again_and_refunded_in_any_order_end_alike(
    exchange: Exchange, heard: str
) -> None:
    """All 120 orders, each thing doubled; each is worked off before the next happens, or all of them in the end."""
    orders = list(itertools.permutations(FIVE))
    assert len(orders) == 120
    stories = await begin(exchange, len(orders))
    for step in range(len(FIVE)):
        for story, order in zip(stories, orders, strict=True):
            await story.happens(order[step])
        if heard == "at once":
            await exchange.carry()
    await exchange.carry()

    ends = {await story.end() for story in stories}
    assert ends == {(False, 2, 2, 0, (2, 0))}
    await exchange.must_close(*(story.visit for story in stories))


@pytest.mark.parametrize("without", ["expired", "cancelled", "refunded"])
async def test_with_one_of_the_five_left_out_money_closes_in_any_order(exchange: Exchange, without: str) -> None:
    """Whether the booking stands in the end depends on what happened first, by nature. What is paid and what is owed agree all the same."""
    left: Sequence[str] = [what for what in FIVE if what != without]
    orders = list(itertools.permutations(left))
    stories = await begin(exchange, len(orders))
    for step in range(len(left)):
        for story, order in zip(stories, orders, strict=True):
            await story.happens(order[step])
        await exchange.carry()
    await exchange.must_close(*(story.visit for story in stories))
