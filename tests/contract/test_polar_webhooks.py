"""How the stand-in of Polar delivers webhooks: signed, in order, again and again, also after it was killed."""

import asyncio
import json
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from polar.v2026_10.errors import ResourceNotFound
from polar.v2026_10.webhooks import PolarWebhookVerificationError, validate_event

from tests.contract.running_polar import PURCHASE, SECRET, RunningPolar, facts, running
from tests.contract.webhook_receiver import Delivery, Receiver, listening

pytestmark = pytest.mark.slow


async def test_a_forged_webhook_is_noticed(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.open_checkout()
    delivery = (await receiver.until(bool))[0]
    with pytest.raises(PolarWebhookVerificationError):
        validate_event(delivery.body.replace(b"2400", b"1"), delivery.headers, SECRET)


def failing_first(times: int, event_type: str) -> Callable[[Delivery], int]:
    """500 to the first deliveries of this type, then 202."""
    left = [times]

    def answer(delivery: Delivery) -> int:
        if json.loads(delivery.body)["type"] != event_type or not left[0]:
            return 202
        left[0] -= 1
        return 500

    return answer


async def test_a_failed_delivery_is_repeated_with_the_same_id_and_bytes_and_overtaken(
    standin: RunningPolar, receiver: Receiver
) -> None:
    receiver.answer = failing_first(3, "order.created")
    await standin.buy()
    deliveries = await receiver.until(lambda all_: len(all_) >= len(PURCHASE) + 3)
    repeated = [each for each in deliveries if json.loads(each.body)["type"] == "order.created"]
    assert len(repeated) == 4
    assert len({(each.headers["webhook-id"], each.body) for each in repeated}) == 1
    assert sorted(set(facts(deliveries))) == sorted(set(PURCHASE))
    first_seen = list(dict.fromkeys(each.headers["webhook-id"] for each in deliveries))
    by_id = {each.headers["webhook-id"]: each for each in deliveries}
    assert facts([by_id[id_] for id_ in first_seen]) == PURCHASE  # first attempts keep the order


async def test_a_redirect_is_a_failure_and_the_history_tells(standin: RunningPolar, receiver: Receiver) -> None:
    receiver.answer = lambda _: 202 if len(receiver.received) > 1 else 307
    await standin.open_checkout()
    await receiver.until(lambda all_: len(all_) >= 2)
    async with standin.sdk() as polar:
        await until_recorded(standin, 2)
        history = (await polar.webhooks.list_webhook_deliveries()).items
        assert [(each.http_code, each.succeeded) for each in history] == [(202, True), (307, False)]
        assert len({each.webhook_event.id for each in history}) == 1
        assert history[0].webhook_event.id == receiver.received[0].headers["webhook-id"]
        assert [e.http_code for e in (await polar.webhooks.list_webhook_deliveries(succeeded=False)).items] == [307]

        await polar.webhooks.redeliver_webhook_event(history[0].webhook_event.id)
        again = await receiver.until(lambda all_: len(all_) >= 3)
        assert again[2].headers["webhook-id"] == again[0].headers["webhook-id"]
        assert again[2].body == again[0].body
        with pytest.raises(ResourceNotFound):
            await polar.webhooks.redeliver_webhook_event(str(uuid.uuid4()))


async def test_a_redelivery_that_is_asked_for_during_an_attempt_is_not_forgotten(tmp_path: Path) -> None:
    async with listening(Receiver()) as receiver, running(tmp_path, receiver.url) as standin, standin.sdk() as polar:
        receiver.hold()
        await standin.open_checkout()
        [first] = await receiver.until(bool)
        await polar.webhooks.redeliver_webhook_event(first.headers["webhook-id"])
        receiver.go_on()
        [_, again] = await receiver.until(lambda all_: len(all_) >= 2)
        assert again.headers["webhook-id"] == first.headers["webhook-id"]


async def until_recorded(standin: RunningPolar, attempts: int) -> None:
    """The stand-in writes an attempt down after the receiver has answered it."""
    async with asyncio.timeout(60):
        while sum(event["attempts"] for event in (await standin.look("webhook-events"))["events"]) < attempts:
            pass


async def test_ten_events_that_fail_ten_times_disable_the_endpoint(standin: RunningPolar, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    for number in range(10):
        await standin.open_checkout(booking_id=f"b{number}")
    for _ in range(10):  # each move is longer than any wait
        await standin.admin("clock", advance_s=60)
    async with standin.sdk() as polar, asyncio.timeout(60):
        while (await polar.webhooks.list_webhook_endpoints()).items[0].enabled:
            pass
        assert (await standin.look("state"))["webhook_events"] == {"failed": 10}
        endpoint = (await polar.webhooks.list_webhook_endpoints()).items[0]
        receiver.answer = lambda _: 202
        await polar.webhooks.update_webhook_endpoint(endpoint.id, enabled=True)
        received = len(receiver.received)
        await standin.open_checkout()
        await receiver.until(lambda all_: len(all_) > received)


async def test_what_was_acknowledged_outlives_a_kill_and_the_deliveries_go_on(tmp_path: Path) -> None:
    receiver = Receiver()  # not listening yet: every delivery fails
    async with AsyncExitStack() as later, running(tmp_path, receiver.url, webhook_time_scale=0.01) as standin:
        order = await standin.buy()
        waiting = await standin.open_checkout(booking_id="b2")
        await standin.http.post(f"{waiting.url}/pay-slowly")
        before = (await standin.look("ledger"))["entries"]
        standin.program.kill()

        standin.program.start()
        assert (await standin.look("ledger"))["entries"] == before
        await later.enter_async_context(listening(receiver))
        async with standin.sdk() as polar:
            assert (await polar.orders.get(order.id)).status == "paid"
            deliveries = await receiver.until(lambda all_: set(PURCHASE) <= set(facts(all_)), within_s=90)
            ids = [each.headers["webhook-id"] for each in deliveries]
            assert len(set(ids)) == len(ids)
            await standin.admin("clock", advance_s=31)  # the slow bank was not forgotten either
            assert (await polar.orders.list(checkout_id=waiting.id)).items[0].paid
        assert (await standin.look("ledger"))["charges"] == 2


async def test_legacy_endpoints_are_signed_with_the_whole_secret(tmp_path: Path) -> None:
    async with (
        listening(Receiver()) as receiver,
        running(
            tmp_path, receiver.url, webhook_signing="legacy", webhook_events="checkout.created customer.created"
        ) as standin,
    ):
        await standin.buy()
        deliveries = await receiver.until(lambda all_: len(all_) >= 2)
        events = [validate_event(each.body, each.headers, SECRET) for each in deliveries]
        assert [event.type for event in events] == ["checkout.created", "customer.created"]


async def test_fifty_purchases_at_once_take_seconds(standin: RunningPolar, receiver: Receiver) -> None:
    opened = await asyncio.gather(*(standin.open_checkout(booking_id=f"b{n}") for n in range(50)))
    await asyncio.gather(*(standin.admin(f"checkouts/{each.id}/pay") for each in opened))
    deliveries = await receiver.until(lambda all_: len(all_) >= 50 * len(PURCHASE), within_s=90)
    assert facts(deliveries).count(("order.paid", "paid")) == 50
    assert (await standin.look("ledger"))["charges"] == 50
