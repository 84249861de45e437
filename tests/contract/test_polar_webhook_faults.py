"""Webhooks of the stand-in that come twice, late, in another order, spoilt or never, and what the official SDK makes of them."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from polar.v2026_10.webhooks import (
    PolarWebhookError,
    PolarWebhookUnknownTypeError,
    PolarWebhookVerificationError,
    validate_event,
)

from tests.contract.running_polar import PURCHASE, SECRET, RunningPolar, facts
from tests.contract.webhook_receiver import Delivery, Receiver, listening

pytestmark = pytest.mark.slow

PAID = ("order.paid", "paid")


def types(deliveries: list[Delivery]) -> list[str]:
    return [json.loads(each.body)["type"] for each in deliveries]


async def last_of_a_purchase(receiver: Receiver) -> list[Delivery]:
    """Everything that has come when the purchase's last event is there."""
    return await receiver.until(lambda all_: types(all_).count("checkout.updated") == 2)


async def test_a_dropped_webhook_comes_only_by_redelivery(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.webhook_fault("drop", "order.paid")
    await standin.buy()
    assert facts(await last_of_a_purchase(receiver)) == [fact for fact in PURCHASE if fact != PAID]
    dropped = [e for e in (await standin.look("webhook-events"))["events"] if e["type"] == "order.paid"]
    assert [(each["state"], each["attempts"]) for each in dropped] == [("skipped", 0)]
    async with standin.sdk() as polar:
        await polar.webhooks.redeliver_webhook_event(dropped[0]["id"])
    assert facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE)))[-1] == PAID


async def test_a_duplicate_is_the_same_event_twice_at_once(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.webhook_fault("duplicate", "order.paid", copies=5)
    await standin.buy()
    paid = [each for each in await last_of_a_purchase(receiver) if types([each]) == ["order.paid"]]
    assert len(paid) == 5
    assert len({(each.headers["webhook-id"], each.body) for each in paid}) == 1


async def test_a_burst_is_one_fact_under_many_ids(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.webhook_fault("burst", "order.paid", events=4)
    await standin.buy()
    paid = [each for each in await last_of_a_purchase(receiver) if types([each]) == ["order.paid"]]
    assert (len({each.headers["webhook-id"] for each in paid}), len({each.body for each in paid})) == (4, 1)


async def test_a_delayed_webhook_is_overtaken_and_comes_when_its_time_has_come(
    standin: RunningPolar, receiver: Receiver
) -> None:
    await standin.webhook_fault("delay", "order.paid", delay_s=7200)
    await standin.buy()
    assert PAID not in facts(await last_of_a_purchase(receiver))
    await standin.admin("clock", advance_s=7200)
    assert facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE)))[-1] == PAID


async def test_webhooks_come_in_another_order(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.webhook_fault("reorder", next=len(PURCHASE))
    await standin.buy()
    assert facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE))) == PURCHASE[::-1]
    await standin.http.delete("/_admin/webhook-faults")
    receiver.received.clear()
    await standin.webhook_fault("reorder", next=len(PURCHASE), order="shuffled", seed=3)
    await standin.buy(booking_id="b2")
    shuffled = facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE)))
    assert shuffled not in (PURCHASE, PURCHASE[::-1])
    assert Counter(shuffled) == Counter(PURCHASE)


async def test_what_is_held_for_a_new_order_is_let_go_with_its_fault(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.webhook_fault("reorder", next=100)
    await standin.buy()
    assert (await standin.look("state"))["webhook_events"] == {"pending": len(PURCHASE)}
    assert receiver.received == []
    await standin.http.delete("/_admin/webhook-faults")
    assert facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE))) == PURCHASE


@pytest.mark.parametrize("action", ["corrupt_signature", "wrong_secret", "old_timestamp", "truncate"])
async def test_a_spoilt_attempt_is_refused_and_repeated_whole(
    standin: RunningPolar, receiver: Receiver, action: str
) -> None:
    receiver.answer = lambda delivery: 202 if is_genuine(delivery) else 403
    await standin.webhook_fault(action)
    await standin.open_checkout()
    spoilt, whole = await receiver.until(lambda all_: len(all_) >= 2)
    assert (is_genuine(spoilt), is_genuine(whole)) == (False, True)
    assert spoilt.headers["webhook-id"] == whole.headers["webhook-id"]
    if action == "old_timestamp":
        assert datetime.now(UTC).timestamp() - int(spoilt.headers["webhook-timestamp"]) >= 600


def is_genuine(delivery: Delivery) -> bool:
    try:
        validate_event(delivery.body, delivery.headers, SECRET)
    except PolarWebhookVerificationError:
        return False
    return True


async def test_events_of_polars_future_are_signed_and_not_understood(standin: RunningPolar, receiver: Receiver) -> None:
    await standin.webhook_fault("unknown_type", "checkout.created", type="checkout.teleported")
    await standin.open_checkout()
    [unknown] = await receiver.until(bool)
    with pytest.raises(PolarWebhookUnknownTypeError) as not_known:
        validate_event(unknown.body, unknown.headers, SECRET)
    assert not_known.value.event_type == "checkout.teleported"

    for told in ({}, {"field": "amount", "missing": True}):
        receiver.received.clear()
        await standin.webhook_fault("schema_drift", "checkout.created", **told)
        await standin.open_checkout()
        [drifted] = await receiver.until(bool)
        with pytest.raises(PolarWebhookError) as not_understood:
            validate_event(drifted.body, drifted.headers, SECRET)
        assert type(not_understood.value) is PolarWebhookError


async def test_a_second_endpoint_hears_the_same_facts_under_other_ids(
    standin: RunningPolar, receiver: Receiver
) -> None:
    async with listening(Receiver()) as second, standin.sdk() as polar:
        made = await polar.webhooks.create_webhook_endpoint(url=second.url, format="raw", events=["order.paid"])
        assert (await polar.webhooks.get_webhook_endpoint(made.id)) == made
        await standin.buy()
        [other] = await second.until(bool)
        assert validate_event(other.body, other.headers, made.secret).type == "order.paid"
        own = next(each for each in await last_of_a_purchase(receiver) if types([each]) == ["order.paid"])
        assert own.headers["webhook-id"] != other.headers["webhook-id"]
        assert json.loads(own.body) == json.loads(other.body)

        renewed = await polar.webhooks.reset_webhook_endpoint_secret(made.id)
        assert renewed.secret != made.secret
        await standin.buy(booking_id="b2")
        [_, later] = await second.until(lambda all_: len(all_) >= 2)
        validate_event(later.body, later.headers, renewed.secret)
        await polar.webhooks.delete_webhook_endpoint(made.id)
        assert len((await polar.webhooks.list_webhook_endpoints()).items) == 1


async def test_a_webhook_fault_that_is_none_is_not_taken(standin: RunningPolar) -> None:
    for told in ({"action": "vanish"}, {"action": "delay"}, {"action": "drop", "match": {"path": "/"}}):
        assert (await standin.http.post("/_admin/webhook-faults", json=told)).status_code == 422
