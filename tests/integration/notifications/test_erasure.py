"""A user is erased: nobody to write to any more, and nothing left that says who they were."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.chassis import inbox
from services.notifications.webhooks.mutations import store
from tests.integration.notifications.provider import Killed, KilledAfterAccept, Outbox
from tests.integration.notifications.test_reports import webhook
from tests.integration.notifications.worker import Worker, record, tombstone
from tests.unit.notifications.builders import a_booking, a_profile


async def personal(worker: Worker, user_id: UUID) -> list[str | None]:
    """All that our tables say of a user in words."""
    recipients = text("SELECT concat(email, name, locale) FROM recipients WHERE user_id = :id")
    mails = text("SELECT payload::text FROM emails WHERE user_id = :id")
    async with worker.unit_of_work() as work:
        return [found for query in (recipients, mails) for found in await work.session.scalars(query, {"id": user_id})]


async def test_an_erased_user_leaves_no_word_behind(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by(email="gone@example.com")
    await worker.handle(record(booking))
    assert any("gone@example.com" in (found or "") for found in await personal(worker, booking.user_id))
    await worker.handle(tombstone(booking.user_id))
    assert await personal(worker, booking.user_id) == ["", "{}"]
    assert (await worker.stored(booking)).state == "sent"


@pytest.mark.parametrize("kind", ["delivered", "teleported"])
async def test_a_webhook_that_comes_after_the_erasure_says_nothing_either(
    worker: Worker, outbox: Outbox, kind: str
) -> None:
    booking = await worker.booked_by(email="gone@example.com")
    await worker.handle(record(booking))
    await worker.write(tombstone(booking.user_id))
    provider_id = (await worker.stored(booking)).provider_id
    received = webhook(f"email.{kind}", email_id=provider_id, to=["gone@example.com"])
    async with worker.unit_of_work() as work:
        await store(work, str(uuid4()), received.value or b"")
    await worker.write(received)
    kept = text("SELECT body FROM resend_webhooks WHERE provider_id = :id")
    async with worker.unit_of_work() as work:
        assert list(await work.session.scalars(kept, {"id": provider_id})) == [b""]


@pytest.mark.parametrize("version", [1, 7])
async def test_a_profile_that_comes_late_brings_nobody_back(worker: Worker, version: int) -> None:
    known, never_seen = (await worker.booked_by()).user_id, uuid4()
    for user_id in (known, never_seen):
        await worker.handle(tombstone(user_id))
        await worker.handle(record(a_profile(user_id=user_id, version=version)), tombstone(user_id))
        assert await personal(worker, user_id) == [""]


async def test_a_mail_to_an_erased_user_is_not_written(worker: Worker, outbox: Outbox) -> None:
    booking, event_id = a_booking(booking_id=uuid4(), user_id=uuid4()), str(uuid4())
    await worker.handle(record(a_profile(user_id=booking.user_id)), tombstone(booking.user_id))
    await worker.handle(record(booking, event_id))
    assert outbox.requests(booking.booking_id) == []
    assert worker.routed_on.topics == []
    assert await worker.states(booking) == {"booking-confirmed": "dropped"}
    async with worker.unit_of_work() as work:
        assert await inbox.has(work.session, "notifications", event_id), "nothing to do is an end too"


async def test_a_mail_that_waits_for_another_try_is_dropped(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    resend, worker.provider = worker.provider, KilledAfterAccept(worker.provider)
    with pytest.raises(Killed):
        await worker.confirm(booking)
    worker.provider = resend
    await worker.handle(tombstone(booking.user_id))
    await worker.handle(record(booking))
    assert ((await worker.stored(booking)).state, (await worker.stored(booking)).payload) == ("dropped", {})
    assert len(outbox.requests(booking.booking_id)) == 1
