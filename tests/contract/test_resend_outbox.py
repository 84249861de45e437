"""What becomes of a mail at the stand-in of Resend, and how the outbox shows it."""

import base64
import json
import uuid

import pytest
import resend
from resend.exceptions import MissingRequiredFieldsError, ValidationError

from deploy.standins.clock import iso, seconds
from tests.contract.running_resend import KEY, RunningResend, mail, send

INVITATION = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


async def test_a_scheduled_mail_can_be_moved_or_cancelled_until_it_is_sent(outbox: RunningResend) -> None:
    now = seconds((await outbox.http.post("/_admin/clock", json={"advance_s": 0})).json()["now"])
    moved, cancelled = await send(scheduled_at=iso(now + 3600)), await send(scheduled_at=iso(now + 3600))
    await resend.Emails.update_async({"id": moved, "scheduled_at": iso(now + 7200)})
    await resend.Emails.cancel_async(cancelled)
    await outbox.advance(3601)
    assert (await resend.Emails.get_async(moved))["last_event"] == "scheduled"
    await outbox.advance(3600)
    assert (await resend.Emails.get_async(moved))["last_event"] == "delivered"
    assert (await resend.Emails.get_async(cancelled))["last_event"] == "canceled"
    with pytest.raises(ValidationError):
        await resend.Emails.cancel_async(moved)


async def test_a_batch_is_all_or_nothing_unless_it_is_permissive(outbox: RunningResend) -> None:
    good, bad = mail(attachments=[{"filename": "a.ics", "content": "QQ=="}]), mail(subject="")
    with pytest.raises(MissingRequiredFieldsError):
        await resend.Batch.send_async([good, bad])
    assert await outbox.sent() == []
    answer = await resend.Batch.send_async(
        [good, bad], {"batch_validation": "permissive", "idempotency_key": "batch/1"}
    )
    assert (len(answer["data"]), [error["index"] for error in answer["errors"]]) == (1, [1])
    assert [each["attachments"] for each in await outbox.sent()] == [[]]  # dropped without a word, as Resend does


async def test_the_test_addresses_of_resend_meet_their_fate(outbox: RunningResend) -> None:
    fates = [
        (await resend.Emails.get_async(await send(to=f"{fate}@resend.dev")))["last_event"]
        for fate in ("bounced", "complained")
    ]
    assert fates == ["bounced", "complained"]


async def test_the_viewer_shows_the_mail_and_gives_out_the_invitation(outbox: RunningResend) -> None:
    content_type = "text/calendar; charset=utf-8; method=REQUEST"
    as_bytes = {"filename": "booking.ics", "content": list(INVITATION), "content_type": content_type}
    as_text = {"filename": "../two.ics", "content": base64.b64encode(INVITATION).decode()}
    email_id = await send("booking-confirmed/b1", attachments=[as_bytes, as_text])
    await send(to="leo@club.test", subject="<b>Later</b>")

    listed = (await outbox.http.get("/")).text
    assert "no mail leaves this machine" in listed
    assert "&lt;b&gt;Later&lt;/b&gt;" in listed
    assert listed.index("Later") < listed.index("Your court is booked")
    assert "Later" not in (await outbox.http.get("/?to=ana@")).text

    page = (await outbox.http.get(f"/mails/{email_id}")).text
    for text in (
        "no mail leaves",
        "See you on Court 3",
        "booking_id: b1",
        "booking-confirmed/b1",
        "booking.ics",
        "METHOD:REQUEST",
        "sandbox=",
    ):
        assert text in page
    assert "<script>" not in page
    html = await outbox.http.get(f"/mails/{email_id}/html")
    assert html.text == mail()["html"]
    assert html.headers["content-security-policy"].startswith("sandbox")
    for number, kind in ((0, content_type), (1, "text/calendar")):
        file = await outbox.http.get(f"/mails/{email_id}/attachments/{number}")
        assert (file.content, file.headers["content-type"]) == (INVITATION, kind)
        assert "attachment;" in file.headers["content-disposition"]
    assert (await outbox.http.get(f"/mails/{email_id}/attachments/2")).status_code == 404
    saved = await outbox.http.get(f"/mails/{email_id}/html?download=true")
    assert (saved.text, "attachment;" in saved.headers["content-disposition"]) == (mail()["html"], True)
    assert (await outbox.http.get(f"/mails/{email_id}/text")).text == "See you on Court 3"
    assert "no mail leaves" in (await outbox.http.get(f"/mails/{uuid.uuid4()}")).text


async def test_the_viewer_shows_the_mails_that_are_asked_for(outbox: RunningResend) -> None:
    await send(subject="Booked")
    await send(to="bounced@resend.dev", subject="Cancelled", tags=[{"name": "booking_id", "value": "b2"}])
    for query, shown in {
        "to=ANA@": "Booked",
        "subject=cancel": "Cancelled",
        "tag=booking_id:b1": "Booked",
        "tag=booking_id: b2": "Cancelled",
        "event=bounced": "Cancelled",
        "to=resend.dev&tag=booking_id:b2&event=bounced": "Cancelled",
    }.items():
        page = (await outbox.http.get(f"/?{query}")).text
        assert "1 mail that fits" in page
        assert [subject for subject in ("Booked", "Cancelled") if f">{subject}<" in page] == [shown]
    assert "No mail fits" in (await outbox.http.get("/?to=bounced&tag=booking_id:b1")).text


async def test_requests_are_recorded_without_the_key(outbox: RunningResend) -> None:
    await send("booking-confirmed/b1")
    request = (await outbox.http.get("/_admin/requests")).json()["requests"][0]
    assert (request["path"], request["status"]) == ("/emails", 200)
    assert request["headers"]["idempotency-key"] == "booking-confirmed/b1"
    assert KEY not in json.dumps(request)
