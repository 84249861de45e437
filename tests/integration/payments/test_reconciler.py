"""Webhooks that never arrive are made up for, and what nobody can mend is listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.payments.actions import Polar
from services.payments.checkouts import actions as checkouts
from services.payments.checkouts import mutations
from services.payments.checkouts.domain import Intent
from services.payments.orders.domain import Order
from services.payments.reconciliation import actions
from services.payments.reconciliation.domain import OVERDUE, PATIENCE
from services.payments.reconciliation.mutations import begin
from services.payments.reconciliation.reconciler import DIFFERENCES, Reconciler
from tests.integration.payments.builders import PRODUCT
from tests.integration.payments.exchange import Exchange, Visit

A_YEAR = timedelta(days=365)


async def test_a_booking_whose_webhooks_were_lost_for_two_hours_is_confirmed_by_polling(exchange: Exchange) -> None:
    visit = await exchange.hold()
    await exchange.reconcile()
    await exchange.pay(visit)
    await exchange.payments.standin.pull("clock", advance_s=7_200)
    await carry_on(exchange)
    await exchange.carry()

    assert await exchange.status(visit) == "confirmed"
    [account] = await exchange.accounts(visit)
    assert [step["actor"] for step in account["timeline"] if step["step"] == "paid"] == ["reconciler"]
    await exchange.must_close(visit)


@pytest.mark.slow
async def test_a_day_of_lost_webhooks_is_made_up_for_by_one_comparison(exchange: Exchange) -> None:
    """Six players each hour, and not one webhook: paid in time, too late, given back by Polar, paid at two pages, paid and
    cancelled."""
    await exchange.reconcile()
    visits: list[Visit] = []
    for _ in range(24):
        visits += await an_hour(exchange)
        await exchange.payments.standin.pull("clock", advance_s=3_600)
    await carry_on(exchange)
    await exchange.carry()

    told = await exchange.reconcile()
    assert (told["differences"], told["repaired"]) == ([], {}), "nothing was left to mend"
    assert told["seen"]["orders"] >= 24 * 6 > 100, "more than a page"
    after = [await exchange.status(visit) for visit in visits]
    assert {status: after.count(status) for status in set(after)} == {"confirmed": 72, "expired": 48, "cancelled": 24}
    await exchange.must_close(*visits)


async def an_hour(exchange: Exchange) -> list[Visit]:
    standin = exchange.payments.standin
    in_time, late, given_back, twice, cancelled, overtaken = [await exchange.hold_unheard() for _ in range(6)]
    await exchange.carry()
    for visit in (in_time, late, given_back, twice, cancelled, overtaken):
        await exchange.look_at_page(visit)
    await exchange.pay(cancelled)
    await exchange.cancel(cancelled)
    await exchange.pay(in_time)
    await exchange.expire(late)
    await exchange.pay(late)
    await standin.pull(f"orders/{await exchange.pay(given_back)}/refund")
    await exchange.expire(given_back)
    await exchange.pay(twice)
    await exchange.pay_at(await exchange.second_page(twice))
    await exchange.expire(overtaken)
    await exchange.hold(overtaken.slot)
    await exchange.pay(overtaken)
    return [in_time, late, given_back, twice, cancelled, overtaken]


async def test_a_page_that_was_made_and_never_heard_of_is_shown(exchange: Exchange) -> None:
    visit, intent = await begun(exchange)
    made = await checkouts.create(exchange.payments.polar, intent)
    await exchange.reconcile()
    await exchange.look_at_page(visit)
    assert visit.checkout_id == made.id
    assert await exchange.pages_shown(visit) == {made.url}


async def test_a_page_at_which_nobody_can_pay_any_more_has_ended(exchange: Exchange) -> None:
    visit = await exchange.hold()
    await exchange.payments.standin.pull(f"checkouts/{visit.checkout_id}/expire")
    assert (await exchange.reconcile())["repaired"]["page ended"] >= 1
    [account] = await exchange.accounts(visit)
    assert account["state"] == "lapsed"


async def test_a_page_that_was_never_made_for_a_hold_that_is_over_has_ended(exchange: Exchange) -> None:
    visit, _ = await begun(exchange)
    await exchange.payments.change(
        "UPDATE payment_attempts SET hold_expires_at = now() WHERE booking_id = :id", id=visit.booking_id
    )
    await exchange.reconcile()
    [account] = await exchange.accounts(visit)
    assert account["state"] == "lapsed"


async def test_what_a_comparison_cannot_mend_is_listed_and_counted(exchange: Exchange) -> None:
    """Money that names nothing of ours, an order that Polar does not know, and a page that is long overdue."""
    foreign = await a_foreign_order(exchange)
    visit = await exchange.hold()
    await exchange.tell_paid(await exchange.pay(visit), visit.checkout_id)
    await exchange.carry()
    gone, late = str(uuid4()), (await begun(exchange))[0]
    await exchange.payments.change(
        "UPDATE orders SET polar_order_id = :gone, recorded_at = now() - interval '2 hours' WHERE booking_id = :id",
        gone=gone,
        id=visit.booking_id,
    )
    await exchange.payments.change(
        "UPDATE payment_attempts SET created_at = now() - interval '1 hour' WHERE booking_id = :id", id=late.booking_id
    )
    told = await exchange.reconcile()
    found = {(one["kind"], one["subject"]) for one in told["differences"]}
    assert {("order quarantined", foreign), ("order not at Polar", gone), ("page stuck", str(late.booking_id))} <= found
    await reconciler(exchange).show_differences()
    assert DIFFERENCES.labels("order not at Polar")._value.get() == 1
    await carry_on(exchange)
    await reconciler(exchange).show_differences()
    assert DIFFERENCES.labels("order not at Polar")._value.get() == 1, "one of the last minutes does not know better"
    await exchange.payments.change("DELETE FROM orders WHERE booking_id = :id", id=visit.booking_id)

    await exchange.payments.standin.pull(f"orders/{foreign}/refund")
    told = await exchange.reconcile()
    assert ("order quarantined", foreign) not in {(one["kind"], one["subject"]) for one in told["differences"]}


async def test_money_that_polar_took_without_an_order_is_listed_until_there_is_one(exchange: Exchange) -> None:
    visit = await exchange.hold()
    await exchange.payments.standin.pull(f"checkouts/{visit.checkout_id}/charge-without-order")
    assert await charges_listed(exchange, PATIENCE) == [], "its order may come in a moment"
    [found] = await charges_listed(exchange, -A_YEAR)
    assert found.endswith(f" of checkout {visit.checkout_id}")

    await exchange.payments.standin.pull(f"checkouts/{visit.checkout_id}/settle")
    assert await charges_listed(exchange, -A_YEAR) == []
    await exchange.carry()
    assert await exchange.status(visit) == "confirmed"
    await exchange.must_close(visit)


async def test_an_endpoint_that_polar_gave_up_is_a_difference(exchange: Exchange) -> None:
    client = exchange.payments.polar.client
    made = await client.webhooks.create_webhook_endpoint(
        url="http://127.0.0.1:9/gone", format="raw", events=["order.paid"]
    )
    await client.webhooks.update_webhook_endpoint(made.id, enabled=False)
    differences = (await exchange.reconcile())["differences"]
    assert ("webhooks disabled", made.url) in {(one["kind"], one["subject"]) for one in differences}
    await client.webhooks.delete_webhook_endpoint(made.id)


async def test_a_comparison_that_breaks_off_is_made_up_for_by_the_next(exchange: Exchange) -> None:
    visit = await exchange.hold()
    await exchange.pay(visit)
    await exchange.payments.standin.fail("status", "GET", "/v1/refunds/", code=500)
    with pytest.raises(Exception, match="Polar answered 500"):
        await carry_on(exchange)
    listed = (await exchange.payments.ask("GET", "/v1/ops/reconciliations", "Marta")).json()["items"]
    assert (listed[0]["state"], listed[0]["failure"]) == ("failed", "OutcomeUnknown: Polar answered 500")
    await carry_on(exchange)
    await exchange.carry()
    assert await exchange.status(visit) == "confirmed"


async def test_one_order_that_cannot_be_read_keeps_no_other_from_being_taken_up(exchange: Exchange) -> None:
    """The older of two, and the newer."""
    await exchange.reconcile()
    for bad in (0, 1):
        visits = [await exchange.hold() for _ in range(2)]
        path = f"/v1/orders/{[await exchange.pay(visit) for visit in visits][bad]}"
        good = visits[1 - bad]
        await exchange.payments.standin.fail("status", "GET", path, code=500, times="always")
        with pytest.raises(Exception, match="Polar answered 500"):
            await carry_on(exchange)
        await exchange.carry()
        assert await exchange.status(good) == "confirmed"
        await reconciler(exchange).show_differences()
        assert DIFFERENCES.labels(OVERDUE)._value.get() >= 1
        await exchange.payments.standin.pull("faults", "DELETE")
        await exchange.reconcile()
        await reconciler(exchange).show_differences()
        assert DIFFERENCES.labels(OVERDUE)._value.get() == 0
        await exchange.carry()
        await exchange.must_close(*visits)


@pytest.mark.parametrize("path", ["/v1/orders/", "/v1/refunds/"])
async def test_a_row_that_the_sdk_does_not_know_keeps_no_other_from_being_taken_up(
    exchange: Exchange, path: str
) -> None:
    await exchange.reconcile()
    visit = await exchange.hold()
    order_id = await exchange.pay(visit)
    await exchange.payments.standin.pull(f"orders/{order_id}/refund", amount=100)
    await exchange.payments.standin.fail("unknown_enum", "GET", path, field="status")
    await carry_on(exchange)
    await exchange.carry()
    assert (await exchange.payments.standin.pull("faults", "GET"))["faults"][-1]["fired"] == 1
    await exchange.payments.standin.pull("faults", "DELETE")
    assert await exchange.status(visit) == "confirmed"
    assert await exchange.differences_of(visit) == []


async def test_a_comparison_waits_when_polar_allows_no_more_for_now(exchange: Exchange) -> None:
    visit = await exchange.hold()
    await exchange.pay(visit)
    for path in ("/v1/orders/", "/v1/refunds/", "/v1/checkouts/", "/v1/payments/", "/v1/webhooks/endpoints"):
        await exchange.payments.standin.fail("status", "GET", path, code=429, retry_after_s=1)
    await carry_on(exchange)
    await exchange.carry()
    await exchange.payments.standin.pull("faults", "DELETE")
    assert await exchange.status(visit) == "confirmed"


async def test_an_order_that_is_paid_while_all_are_compared_is_not_missing(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, pages = await exchange.hold(), actions.orders

    async def paid_meanwhile(polar: Polar, since: datetime | None) -> AsyncIterator[actions.Listed[Order]]:
        async for page in pages(polar, since):
            yield page
        await exchange.tell_paid(await exchange.pay(visit), visit.checkout_id)
        await exchange.carry()

    monkeypatch.setattr(actions, "orders", paid_meanwhile)
    told = await exchange.reconcile()
    assert "order not at Polar" not in {one["kind"] for one in told["differences"]}
    await exchange.must_close(visit)


async def test_everything_is_compared_again_when_that_was_not_done_for_a_day(exchange: Exchange) -> None:
    await exchange.reconcile()
    await carry_on(exchange)
    assert (await last_comparison(exchange))["since"] is not None
    await exchange.payments.change("UPDATE reconciliations SET started_at = started_at - interval '25 hours'")
    await carry_on(exchange)
    assert (await last_comparison(exchange))["since"] is None


async def test_nobody_compares_what_is_yet_to_come(exchange: Exchange) -> None:
    since = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = await exchange.payments.ask("POST", "/v1/ops/reconciliations", "Marta", json={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (422, "since-is-in-the-future")


async def last_comparison(exchange: Exchange) -> dict[str, Any]:
    listed = (await exchange.payments.ask("GET", "/v1/ops/reconciliations", "Marta")).json()["items"]
    last: dict[str, Any] = listed[0]
    return last


async def charges_listed(exchange: Exchange, patience: timedelta) -> list[str]:
    """In a full comparison. This Polar's clock is ahead of ours, so that nothing there is old unless one is less than patient."""
    compare = Reconciler(exchange.payments.polar, exchange.payments.chassis.unit_of_work, patience)
    async with exchange.payments.chassis.unit_of_work() as work:
        begun = await begin(work, None, "Marta")
    await compare.run(begun, None)
    differences = (await last_comparison(exchange))["differences"]
    return [one["subject"] for one in differences if one["kind"] == "charge without order"]


async def begun(exchange: Exchange) -> tuple[Visit, Intent]:
    """The intent is written down, and the process has died before it heard of Polar's answer; nobody tries again."""
    visit = await exchange.hold_unheard()
    held = await exchange.held(visit)
    async with exchange.payments.chassis.unit_of_work() as work:
        intent = await mutations.intend(work, held)
    assert intent is not None
    await exchange.forget_what_was_said()
    return visit, intent


async def a_foreign_order(exchange: Exchange) -> str:
    """Somebody sold something else on this account."""
    made = await exchange.payments.polar.client.checkouts.create(
        products=[str(PRODUCT)], customer_email="eva@club.test"
    )
    return await exchange.pay_at(made.id)


def reconciler(exchange: Exchange) -> Reconciler:
    return Reconciler(exchange.payments.polar, exchange.payments.chassis.unit_of_work)


async def carry_on(exchange: Exchange) -> int:
    return await reconciler(exchange).carry_on()
