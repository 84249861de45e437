"""Staff look up what was mailed, ask for a mail again, and give an address another chance: each at their own venues."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from courtside_contracts.booking import BookingConfirmed
from services.notifications.emails.tables import Email
from tests.integration.notifications.desk import BECAUSE, OTHER_VENUE, VENUE_ID, Desk, somebody
from tests.integration.notifications.provider import Outbox
from tests.integration.notifications.test_news import cancelled
from tests.integration.notifications.test_reports import report
from tests.integration.notifications.worker import record, tombstone
from tests.unit.notifications.builders import a_profile

CALLERS = ("anonymous", "player", "staff elsewhere", "staff", "admin")
NOT_YET = "00000000-0000-4000-8000-000000000000"


async def mailed(desk: Desk, email: str | None = None) -> BookingConfirmed:
    booking = await desk.worker.booked_by(email=email or f"{uuid4().hex}@example.com", locale="en-GB")
    await desk.worker.handle(record(booking))
    return booking


async def one(desk: Desk, kind: str) -> str:
    """The path of something new of this kind."""
    booking = await mailed(desk)
    email = await desk.worker.stored(booking)
    if kind == "emails":
        return f"/v1/emails/{email.id}"
    await report(desk.worker, booking, "complained")
    (found,) = await suppressions(desk, email.payload["to"][0])
    return f"/v1/suppressions/{found['id']}"


async def suppressions(desk: Desk, address: str) -> list[dict[str, Any]]:
    answer = await desk.ask("admin-a", "GET", "/v1/suppressions", params={"address": address.upper()})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        #                                 anonymous, player, elsewhere, staff, admin
        ("GET", "/v1/emails", (401, 403, 200, 200, 200)),
        ("GET", "/v1/emails/{one}", (401, 403, 404, 200, 200)),
        ("POST", "/v1/emails/{one}/resend", (401, 403, 404, 202, 202)),
        ("GET", "/v1/suppressions", (401, 403, 200, 200, 200)),
        ("POST", "/v1/suppressions/{one}/lift", (401, 403, 404, 200, 200)),
        ("GET", "/v1/ops/dead-letters", (401, 403, 403, 403, 200)),
        ("POST", "/webhooks/resend", (403, 403, 403, 403, 403)),  # the signature is the authentication
    ],
)
async def test_who_may_do_what(desk: Desk, method: str, path: str, expected: tuple[int, ...]) -> None:
    here, elsewhere = somebody(), somebody()
    await desk.hire(here, VENUE_ID)
    await desk.hire(elsewhere, OTHER_VENUE)
    names = {"anonymous": None, "player": "player-p", "staff elsewhere": elsewhere, "staff": here, "admin": "admin-a"}
    found = []
    for caller in CALLERS:
        asked = await one(desk, path.split("/")[2]) if "{one}" in path else ""
        body = {"json": BECAUSE} if method == "POST" else {}
        answer = await desk.ask(
            names[caller],
            method,
            path.replace("/v1/emails/{one}", asked).replace("/v1/suppressions/{one}", asked),
            **body,
        )
        found.append(answer.status_code)
    assert tuple(found) == expected


async def test_staff_who_left_see_nothing_any_more(desk: Desk) -> None:
    name = somebody()
    await desk.hire(name, VENUE_ID)
    assert (await desk.ask(name, "GET", "/v1/emails")).status_code == 200
    await desk.hire(name, version=2)
    answer = await desk.ask(name, "GET", "/v1/emails")
    assert (answer.status_code, answer.json()["code"]) == (403, "staff-only")


async def test_the_mails_of_a_booking_are_listed_the_newest_first(desk: Desk, outbox: Outbox) -> None:
    booking = await mailed(desk, "alba@example.com")
    await desk.worker.handle(record(cancelled(booking, 3)))
    asked = {"booking_id": booking.key, "limit": 1}
    first = (await desk.ask("admin-a", "GET", "/v1/emails", params=asked)).json()
    answer = await desk.ask("admin-a", "GET", "/v1/emails", params=asked | {"cursor": first["next_cursor"]})
    assert answer.json()["next_cursor"] is None
    mails = first["items"] + answer.json()["items"]
    assert [(mail["kind"], mail["state"], mail["to"]) for mail in mails] == [
        ("booking-cancelled", "sent", "alba@example.com"),
        ("booking-confirmed", "sent", "alba@example.com"),
    ]
    assert mails[1]["subject"].startswith("Confirmed: Pista 3, Saturday, 14 November 2026")
    other = asked | {"kind": "booking-held", "cursor": first["next_cursor"]}
    assert (await desk.ask("admin-a", "GET", "/v1/emails", params=other)).json()["code"] == "cursor-not-valid"
    whole = (await desk.ask("admin-a", "GET", f"/v1/emails/{mails[1]['id']}")).json()
    assert whole["text"].startswith("Your court is booked")
    assert [attached["filename"] for attached in whole["attachments"]] == ["booking.ics"]


async def test_mails_of_unknown_outcome_are_found(desk: Desk) -> None:
    lost, known = await mailed(desk), await mailed(desk)
    async with desk.worker.unit_of_work() as work:
        theirs = update(Email).where(Email.booking_id == lost.booking_id)
        await work.session.execute(theirs.values(state="unknown", provider_id=None, sent_at=None))
    answer = await desk.ask("admin-a", "GET", "/v1/emails", params={"state": "unknown", "limit": 100})
    found = answer.json()["items"]
    assert {mail["state"] for mail in found} == {"unknown"}
    listed = {mail["booking_id"] for mail in found}
    assert (lost.key in listed, known.key in listed) == (True, False)


async def test_a_mail_is_told_again_to_the_address_of_today(desk: Desk, outbox: Outbox) -> None:
    booking = await mailed(desk, "old@example.com")
    email = await desk.worker.stored(booking)
    changed = {"email": "new@example.com", "locale": "de", "version": 2}
    await desk.worker.write(record(a_profile(user_id=booking.user_id, **changed)))
    name, path = somebody(), f"/v1/emails/{email.id}/resend"
    await desk.hire(name, VENUE_ID)
    headers = {"Idempotency-Key": str(uuid4())}
    first, again = [await desk.ask(name, "POST", path, json=BECAUSE, headers=headers) for _ in range(2)]
    assert (first.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert first.json() == again.json()
    copied = first.json()
    assert (copied["to"], copied["copy_of"], copied["request_reason"]) == (
        "new@example.com",
        str(email.id),
        BECAUSE["reason"],
    )
    assert first.headers["location"] == f"/v1/emails/{copied['id']}"

    for each in await desk.worker.queued(booking.key):
        await desk.worker.write(each)
    old, new = outbox.mails(booking.booking_id)
    assert (old["to"], new["to"]) == (["old@example.com"], ["new@example.com"])
    assert new["subject"].startswith("Buchung bestätigt")
    assert (await desk.ask(name, "GET", first.headers["location"])).json()["state"] == "sent"

    other = await desk.ask(name, "POST", path, json={"reason": "Another one"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_what_is_not_true_any_more_is_not_told_again(desk: Desk) -> None:
    booking = await mailed(desk)
    email = await desk.worker.stored(booking)
    await desk.worker.handle(record(cancelled(booking, 3)))
    assert await refusal(desk, email.id) == (409, "email-outdated")


async def test_a_mail_that_waits_is_not_told_again(desk: Desk) -> None:
    booking = await desk.worker.booked_by()
    await desk.worker.write(record(booking))
    assert await refusal(desk, (await desk.worker.stored(booking)).id) == (409, "email-still-waiting")


async def test_nobody_is_written_to_again_who_is_gone(desk: Desk) -> None:
    booking = await mailed(desk)
    email = await desk.worker.stored(booking)
    await desk.worker.write(tombstone(booking.user_id))
    assert await refusal(desk, email.id) == (409, "email-outdated")
    assert await refusal(desk, UUID(NOT_YET)) == (404, "email-not-found")


async def test_a_suppressed_address_is_given_back_before_it_is_mailed_again(desk: Desk, outbox: Outbox) -> None:
    booking = await mailed(desk)
    email = await desk.worker.stored(booking)
    await report(desk.worker, booking, "bounced", bounce={"type": "Permanent"})
    assert await refusal(desk, email.id) == (409, "address-suppressed")

    address = email.payload["to"][0]
    (found,) = await suppressions(desk, address)
    assert (found["address"], found["cause"], found["email_id"]) == (address, "bounced", str(email.id))
    lifted = await desk.ask("admin-a", "POST", f"/v1/suppressions/{found['id']}/lift", json=BECAUSE)
    assert (lifted.status_code, lifted.json()["lift_reason"]) == (200, BECAUSE["reason"])
    twice = await desk.ask("admin-a", "POST", f"/v1/suppressions/{found['id']}/lift", json=BECAUSE)
    assert (twice.status_code, twice.json()["code"]) == (409, "suppression-lifted")
    assert await suppressions(desk, address) == []

    answer = await desk.ask("admin-a", "POST", f"/v1/emails/{email.id}/resend", json=BECAUSE)
    assert answer.status_code == 202, answer.text


async def refusal(desk: Desk, email_id: UUID) -> tuple[int, str]:
    answer = await desk.ask("admin-a", "POST", f"/v1/emails/{email_id}/resend", json=BECAUSE)
    return answer.status_code, answer.json()["code"]
