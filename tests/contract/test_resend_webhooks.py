"""What Resend's stand-in tells of a mail's life, signed as Svix signs, and what the official SDKs make of it."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest
import resend
from svix.webhooks import Webhook, WebhookVerificationError

from tests.contract.running_resend import SECRET, RunningResend, running, send
from tests.contract.webhook_receiver import Delivery, Receiver, listening

pytestmark = pytest.mark.slow

HOUR_S = 60 * 60
DAY_S = 24 * HOUR_S


def told(deliveries: list[Delivery]) -> list[tuple[str, str]]:
    """(type, recipient) of each, its signature verified by both SDKs."""
    return [(event["type"], event["data"]["to"][0]) for event in map(verified, deliveries)]


def verified(delivery: Delivery) -> dict[str, Any]:
    Webhook(SECRET).verify(delivery.body, delivery.headers)
    names = ("id", "timestamp", "signature")
    headers = {name: delivery.headers[f"svix-{name}"] for name in names}
    options = {"payload": delivery.body.decode(), "headers": headers, "webhook_secret": SECRET}
    return cast("dict[str, Any]", resend.Webhooks.verify(cast("resend.VerifyWebhookOptions", options)))


LIVES = {
    "delivered": ["email.sent", "email.delivered"],
    "bounced": ["email.sent", "email.bounced"],
    "complained": ["email.sent", "email.delivered", "email.complained"],
    "suppressed": ["email.suppressed"],
}


@pytest.mark.parametrize("fate", LIVES)
async def test_the_test_addresses_of_resend_lead_their_lives(
    outbox: RunningResend, mail_receiver: Receiver, fate: str
) -> None:
    """In no order, as with Svix."""
    email_id = await send(to=f"{fate}+7@resend.dev")
    events = map(verified, await mail_receiver.until(lambda all_: len(all_) >= len(LIVES[fate])))
    by_type = {event["type"]: event["data"] for event in events}
    assert sorted(by_type) == sorted(LIVES[fate])
    last = by_type[LIVES[fate][-1]]
    assert (last["email_id"], last["tags"], last["subject"]) == (email_id, {"booking_id": "b1"}, "Your court is booked")
    assert (await resend.Emails.get_async(email_id))["last_event"] == fate
    if fate == "bounced":
        assert last["bounce"]["type"] == "Permanent"


async def test_a_mail_takes_its_time(tmp_path: Path) -> None:
    async with listening(Receiver()) as receiver, running(tmp_path, receiver.url, delivery_s=60) as outbox:
        email_id = await send()
        assert told(await receiver.until(bool)) == [("email.sent", "Ana <ana@club.test>")]
        assert (await resend.Emails.get_async(email_id))["last_event"] == "sent"
        await outbox.advance(61)
        assert told(await receiver.until(lambda all_: len(all_) >= 2))[1][0] == "email.delivered"


async def test_a_test_says_what_becomes_of_a_players_mails(outbox: RunningResend, mail_receiver: Receiver) -> None:
    await outbox.admin("fates", to="Ana <ana@club.test>", fate="bounced")
    bounced, well = await send(), await send(to="leo@club.test")
    states = {each["id"]: each["last_event"] for each in await outbox.sent("?brief=true")}
    assert states == {bounced: "bounced", well: "delivered"}
    await outbox.admin(f"emails/{well}/opened")
    assert [each["id"] for each in await outbox.sent("?event=opened")] == [well]
    await mail_receiver.until(lambda all_: ("email.opened", "leo@club.test") in told(all_))


async def test_who_bounced_is_mailed_no_more_until_somebody_lifts_it(outbox: RunningResend) -> None:
    first = await send()
    await outbox.admin(f"emails/{first}/bounced")
    assert (await resend.Emails.get_async(await send()))["last_event"] == "suppressed"
    assert (await outbox.http.get("/_admin/suppressions")).json()["suppressions"] == [
        {"address": "ana@club.test", "origin": "bounce"}
    ]
    await outbox.http.delete("/_admin/suppressions/ana@club.test")
    assert (await resend.Emails.get_async(await send()))["last_event"] == "delivered"


async def test_a_failed_delivery_comes_again_under_the_same_id(outbox: RunningResend, mail_receiver: Receiver) -> None:
    mail_receiver.answer = lambda _: 500 if len(mail_receiver.received) <= 3 else 204
    await send(to="suppressed@resend.dev")
    for _ in range(3):
        await outbox.advance(HOUR_S)
    repeated = await mail_receiver.until(lambda all_: len(all_) >= 4)
    assert len({(each.headers["svix-id"], each.body) for each in repeated}) == 1
    [event] = (await outbox.http.get("/_admin/webhook-events?contains=suppressed")).json()["events"]
    await outbox.admin(f"webhook-events/{event['id']}/redeliver")
    again = (await mail_receiver.until(lambda all_: len(all_) >= 5))[4]
    assert again.headers["svix-id"] == repeated[0].headers["svix-id"]


async def test_an_endpoint_that_fails_for_five_days_is_disabled(outbox: RunningResend, mail_receiver: Receiver) -> None:
    mail_receiver.answer = lambda _: 500
    await send(to="suppressed@resend.dev")
    async with asyncio.timeout(60):  # the five days count from the first failure that Resend has noted
        while not (await the_event(outbox))["attempts"]:
            pass
    await outbox.advance(5 * DAY_S)
    async with asyncio.timeout(60):
        while (endpoint := await the_endpoint(outbox))["enabled"]:
            pass
    mail_receiver.answer = lambda _: 202
    await send(to="suppressed@resend.dev")
    assert len((await outbox.http.get("/_admin/webhook-events")).json()["events"]) == 1
    await outbox.admin(f"webhook-endpoints/{endpoint['id']}", enabled=True)
    later = await send(to="suppressed@resend.dev")
    await mail_receiver.until(lambda all_: later in {json.loads(each.body)["data"]["email_id"] for each in all_})


async def the_event(outbox: RunningResend) -> dict[str, Any]:
    [event] = (await outbox.http.get("/_admin/webhook-events")).json()["events"]
    return cast("dict[str, Any]", event)


async def the_endpoint(outbox: RunningResend) -> dict[str, Any]:
    [endpoint] = (await outbox.http.get("/_admin/webhook-endpoints")).json()["endpoints"]
    return cast("dict[str, Any]", endpoint)


@pytest.mark.parametrize("action", ["corrupt_signature", "wrong_secret", "old_timestamp"])
async def test_a_spoilt_delivery_is_noticed_and_repeated(
    outbox: RunningResend, mail_receiver: Receiver, action: str
) -> None:
    mail_receiver.answer = lambda delivery: 202 if is_genuine(delivery) else 403
    await outbox.admin("webhook-faults", action=action)
    await send(to="suppressed@resend.dev")
    spoilt, whole = await mail_receiver.until(lambda all_: len(all_) >= 2)
    assert (is_genuine(spoilt), is_genuine(whole)) == (False, True)


def is_genuine(delivery: Delivery) -> bool:
    try:
        Webhook(SECRET).verify(delivery.body, delivery.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_webhooks_of_a_mail_come_twice_late_or_never(outbox: RunningResend, mail_receiver: Receiver) -> None:
    await outbox.admin("webhook-faults", match={"type": "email.sent"}, action="drop")
    await outbox.admin("webhook-faults", match={"type": "email.delivered"}, action="duplicate", copies=3)
    await send()
    delivered = await mail_receiver.until(lambda all_: len(all_) >= 3)
    assert [kind for kind, _ in told(delivered)] == ["email.delivered"] * 3
    assert len({each.headers["svix-id"] for each in delivered}) == 1
