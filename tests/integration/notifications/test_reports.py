"""Resend reports what became of a mail, in any order and more than once: the mail's state, the addresses that get none any more."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from courtside_contracts.booking import BookingConfirmed
from courtside_contracts.envelope import Envelope
from services.chassis.subscribing import Record
from services.notifications.suppressions.tables import SuppressionRow
from services.notifications.webhooks.domain import ResendWebhook
from tests.integration.notifications.provider import Killed, KilledAfterAccept, Outbox
from tests.integration.notifications.test_news import cancelled
from tests.integration.notifications.worker import Worker, record, tombstone


async def mailed(worker: Worker, email: str = "alba@example.com") -> BookingConfirmed:
    booking = await worker.booked_by(email=email)
    await worker.handle(record(booking))
    return booking


async def report(worker: Worker, booking: BookingConfirmed, kind: str, **data: Any) -> None:
    email = await worker.stored(booking)
    told = {"email_id": email.provider_id or str(uuid4()), "tags": {"email_id": str(email.id)}, "to": ["x@y.z"]}
    await worker.write(webhook(f"email.{kind}", **told | data))


def webhook(kind: str, **data: Any) -> Record:
    """The very bytes that Resend sent, as our own topic carries them."""
    body = json.dumps({"type": kind, "created_at": datetime.now(UTC).isoformat(), "data": data}).encode()
    told = ResendWebhook.model_validate_json(body)
    named = Envelope(str(uuid4()), told.type, told.source, datetime.now(UTC), told.key or "svix's id")
    return dataclasses.replace(record(told), value=body, headers=named.headers())


async def kinds(worker: Worker, booking: BookingConfirmed) -> list[str]:
    return [row["type"].split(".")[1] for row in await worker.published(booking)]


async def suppressed(worker: Worker, user_id: UUID) -> list[tuple[str, str]]:
    async with worker.unit_of_work() as work:
        rows = await work.session.scalars(select(SuppressionRow).where(SuppressionRow.user_id == user_id))
        return [(row.address, row.cause) for row in rows]


@pytest.mark.parametrize("order", [("sent", "delivered", "opened"), ("opened", "delivered", "delivered", "sent")])
async def test_a_mail_that_was_read_is_read_in_whatever_order_that_is_told(
    worker: Worker, outbox: Outbox, order: tuple[str, ...]
) -> None:
    booking = await mailed(worker)
    for kind in order:
        await report(worker, booking, kind)
    assert (await worker.stored(booking)).state == "opened"
    assert (await kinds(worker, booking)).count("delivered") == (order[0] == "sent")


async def test_an_address_that_bounced_gets_no_more_mail(worker: Worker, outbox: Outbox) -> None:
    booking = await mailed(worker, email="Bounced@example.com")
    bounce = {"bounce": {"type": "Permanent", "message": "bounced@example.com: no such user"}}
    for _ in range(2):
        await report(worker, booking, "bounced", **bounce)
    email = await worker.stored(booking)
    assert (email.state, email.state_reason) == ("bounced", "Permanent")
    assert await kinds(worker, booking) == ["sent", "bounced"]
    assert await suppressed(worker, booking.user_id) == [("bounced@example.com", "bounced")]

    await worker.handle(record(cancelled(booking, 3)))
    assert (await worker.states(booking))["booking-cancelled"] == "suppressed"
    assert len(outbox.mails(booking.booking_id)) == 1
    failed = (await worker.published(booking))[-1]
    assert json.loads(failed["payload"])["reason"] == "suppressed"


async def test_a_full_mailbox_is_no_reason_never_to_write_again(worker: Worker, outbox: Outbox) -> None:
    booking = await mailed(worker)
    await report(worker, booking, "bounced", bounce={"type": "Transient"})
    assert (await worker.stored(booking)).state == "bounced"
    assert await suppressed(worker, booking.user_id) == []


async def test_a_mailbox_that_was_full_and_then_gone_gets_no_more_mail(worker: Worker, outbox: Outbox) -> None:
    booking = await mailed(worker, email=f"{uuid4()}@example.com")
    for kind in ("Transient", "Permanent"):
        await report(worker, booking, "bounced", bounce={"type": kind})
    assert (await worker.stored(booking)).state == "bounced"
    assert [cause for _, cause in await suppressed(worker, booking.user_id)] == ["bounced"]
    assert await kinds(worker, booking) == ["sent", "bounced"]


async def test_a_bounce_that_comes_again_after_the_address_was_given_back_is_no_new_one(
    worker: Worker, outbox: Outbox
) -> None:
    booking = await mailed(worker, email=f"{uuid4()}@example.com")
    await report(worker, booking, "bounced", bounce={"type": "Permanent"})
    lifted = {"lifted_at": datetime.now(UTC), "lifted_by": uuid4(), "lift_reason": "She has emptied it"}
    async with worker.unit_of_work() as work:
        theirs = update(SuppressionRow).where(SuppressionRow.user_id == booking.user_id)
        await work.session.execute(theirs.values(**lifted))
    await report(worker, booking, "bounced", bounce={"type": "Permanent"})
    assert len(await suppressed(worker, booking.user_id)) == 1


async def test_who_complains_gets_no_more_mail_though_they_opened_it(worker: Worker, outbox: Outbox) -> None:
    booking = await mailed(worker, email=f"{uuid4()}@example.com")
    for kind in ("delivered", "complained", "opened"):
        await report(worker, booking, kind)
    assert (await worker.stored(booking)).state == "complained"
    assert [cause for _, cause in await suppressed(worker, booking.user_id)] == ["complained"]


async def test_a_report_that_is_faster_than_our_own_mark_is_not_lost(worker: Worker, outbox: Outbox) -> None:
    """The process died between Resend's yes and its own note; the webhook knows the mail by its tag."""
    booking = await worker.booked_by()
    resend, worker.provider = worker.provider, KilledAfterAccept(worker.provider)
    with pytest.raises(Killed):
        await worker.confirm(booking)
    (mail,) = outbox.mails(booking.booking_id)
    await report(worker, booking, "delivered", email_id=mail["id"])
    email = await worker.stored(booking)
    assert (email.state, email.provider_id) == ("delivered", mail["id"])

    worker.provider = resend
    await worker.handle(record(booking))
    assert len(outbox.requests(booking.booking_id)) == 1
    assert await kinds(worker, booking) == ["sent", "delivered"]


@pytest.mark.parametrize(
    "told",
    [
        webhook("email.delivered", email_id=str(uuid4()), tags={"email_id": str(uuid4())}),
        webhook("email.delivered", email_id=str(uuid4()), tags={"email_id": "none"}),
        webhook("email.delivered", email_id=str(uuid4()), tags=["email_id"]),
        webhook("email.delivered", to="nobody"),
        webhook("email.teleported", email_id=str(uuid4())),
        webhook("contact.created", id=str(uuid4())),
    ],
    ids=[
        "of another's mail",
        "tag of another",
        "tags of another shape",
        "of no mail",
        "of another type",
        "no mail at all",
    ],
)
async def test_what_is_none_of_ours_is_passed_over(worker: Worker, told: Record) -> None:
    await worker.write(told)
    assert worker.routed_on.topics == []


async def test_an_erased_user_leaves_no_suppression(worker: Worker, outbox: Outbox) -> None:
    booking = await mailed(worker, email=f"{uuid4()}@example.com")
    await report(worker, booking, "complained")
    await worker.write(tombstone(booking.user_id))
    assert await suppressed(worker, booking.user_id) == []
    await report(worker, booking, "bounced")
    assert await suppressed(worker, booking.user_id) == []
