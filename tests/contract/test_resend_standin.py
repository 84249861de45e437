"""The official SDK, over HTTP, against the stand-in of Resend. The guard when either of the two changes."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
import resend
from resend.exceptions import (
    InvalidApiKeyError,
    MissingRequiredFieldsError,
    RateLimitError,
    ResendError,
    ValidationError,
)

from tests.contract.running_resend import KEY, RunningResend, mail, running, send

pytestmark = pytest.mark.slow

DAY_S = 24 * 60 * 60


async def test_a_mail_is_kept_whole_and_found_by_recipient_and_tag(outbox: RunningResend) -> None:
    email_id = await send("booking-confirmed/b1", reply_to="desk@club.test", headers={"X-Club": "Padel"})
    shown = await resend.Emails.get_async(email_id)
    assert (shown["subject"], shown["to"], shown["last_event"]) == (
        "Your court is booked",
        ["Ana <ana@club.test>"],
        "delivered",
    )
    kept = (await outbox.sent("?to=ana@club.test&tag=booking_id:b1"))[0]
    assert (kept["id"], kept["idempotency_key"], kept["headers"]) == (
        email_id,
        "booking-confirmed/b1",
        {"X-Club": "Padel"},
    )
    assert await outbox.sent("?to=na@club.test") == []
    assert await outbox.sent("?tag=booking_id:b") == []
    assert [each["id"] for each in (await resend.Emails.list_async())["data"]] == [email_id]


async def test_the_same_key_and_mail_give_the_same_answer_and_no_second_mail(outbox: RunningResend) -> None:
    ids = [await send("booking-confirmed/b1") for _ in range(3)]
    assert len(set(ids)) == len(await outbox.sent()) == 1


async def test_the_same_key_with_another_mail_is_a_conflict(outbox: RunningResend) -> None:
    await send("booking-confirmed/b1")
    with pytest.raises(ResendError) as conflict:
        await send("booking-confirmed/b1", subject="Rendered again")
    assert (conflict.value.code, conflict.value.error_type) == (409, "invalid_idempotent_request")
    assert len(await outbox.sent()) == 1


async def test_a_key_is_forgotten_after_a_day(outbox: RunningResend) -> None:
    first = await send("booking-confirmed/b1")
    await outbox.advance(DAY_S - 60)
    assert await send("booking-confirmed/b1") == first
    await outbox.advance(61)
    assert await send("booking-confirmed/b1") != first
    assert len(await outbox.sent()) == 2


async def test_a_refused_mail_does_not_use_up_its_key(outbox: RunningResend) -> None:
    with pytest.raises(MissingRequiredFieldsError):
        await send("booking-confirmed/b1", subject="")
    await send("booking-confirmed/b1")
    assert len(await outbox.sent()) == 1


async def test_a_key_under_way_is_a_conflict_to_try_again(tmp_path: Path) -> None:
    async with running(tmp_path, latency_s=2) as outbox:
        first = asyncio.create_task(send("booking-confirmed/b1"))
        second = asyncio.create_task(send("booking-confirmed/b1"))
        refused = [
            error for error in await asyncio.gather(first, second, return_exceptions=True) if not isinstance(error, str)
        ]
        assert [(e.code, e.error_type) for e in refused if isinstance(e, ResendError)] == [
            (409, "concurrent_idempotent_requests")
        ]
        assert len(await outbox.sent()) == 1


@pytest.mark.parametrize("key", ["", "k" * 257])
async def test_a_key_has_1_to_256_characters(outbox: RunningResend, key: str) -> None:
    with pytest.raises(ResendError) as refused:
        await send(key)
    assert (refused.value.code, refused.value.error_type) == (400, "invalid_idempotency_key")


async def test_a_sent_mail_and_its_key_outlive_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path) as outbox:
        first = await send("booking-confirmed/b1")
        outbox.program.kill()
        outbox.program.start()
        assert await send("booking-confirmed/b1") == first
        assert [each["id"] for each in await outbox.sent()] == [first]


REFUSED_MAILS: dict[str, tuple[dict[str, Any], type[ResendError], int, str]] = {
    "no recipient": ({"to": []}, MissingRequiredFieldsError, 422, "missing_required_field"),
    "no subject": ({"subject": ""}, MissingRequiredFieldsError, 422, "missing_required_field"),
    "no content": ({"html": None, "text": None}, MissingRequiredFieldsError, 422, "missing_required_field"),
    "bad recipient": ({"to": "ana"}, ValidationError, 422, "validation_error"),
    "bad copy": ({"cc": ["ana@"]}, ValidationError, 422, "validation_error"),
    "bad sender": ({"from": "club"}, ResendError, 422, "invalid_from_address"),
    "too many recipients": ({"to": ["a@club.test"] * 51}, ValidationError, 422, "validation_error"),
    "tag with a colon": ({"tags": [{"name": "booking", "value": "b:1"}]}, ValidationError, 422, "validation_error"),
    "headers that are no text": ({"headers": {"a": 1}}, ValidationError, 422, "validation_error"),
    "attachment without content": ({"attachments": [{"filename": "a"}]}, ResendError, 422, "invalid_attachment"),
    "attachment not in base64": (
        {"attachments": [{"filename": "a", "content": "%"}]},
        ResendError,
        422,
        "invalid_attachment",
    ),
    "schedule in words": ({"scheduled_at": "tomorrow-ish"}, ValidationError, 422, "validation_error"),
    "schedule too far": ({"scheduled_at": "2999-01-01T00:00:00Z"}, ValidationError, 422, "validation_error"),
}


@pytest.mark.parametrize(("fields", "error", "code", "name"), REFUSED_MAILS.values(), ids=REFUSED_MAILS.keys())
async def test_a_bad_mail_is_refused_by_name(
    outbox: RunningResend, fields: dict[str, Any], error: type[ResendError], code: int, name: str
) -> None:
    with pytest.raises(error) as refused:
        await send(**fields)
    assert (refused.value.code, refused.value.error_type) == (code, name)
    assert await outbox.sent() == []


async def test_keys_and_user_agents_are_looked_at_first(outbox: RunningResend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resend, "api_key", "re_wrong")
    with pytest.raises(InvalidApiKeyError) as refused:
        await send()
    assert refused.value.code == 403
    bare = await outbox.http.post("/emails", json={})
    assert (bare.status_code, bare.json()["name"]) == (401, "missing_api_key")
    nameless = await outbox.http.post("/emails", json={}, headers={"user-agent": "", "authorization": f"Bearer {KEY}"})
    assert nameless.status_code == 403
    broken = await outbox.http.post("/emails", content=b"{", headers={"authorization": f"Bearer {KEY}"})
    assert (broken.status_code, broken.json()["name"]) == (400, "validation_error")


async def test_unknown_mails_and_routes_are_not_found(outbox: RunningResend) -> None:
    with pytest.raises(ResendError) as unknown:
        await resend.Emails.get_async(str(uuid.uuid4()))
    assert (unknown.value.code, unknown.value.error_type) == (404, "not_found")
    with pytest.raises(ValidationError):
        await resend.Emails.get_async("not-a-uuid")
    assert (await outbox.http.get("/nothing")).json()["name"] == "not_found"
    assert (await outbox.http.put("/", json={})).json()["name"] == "method_not_allowed"


async def test_a_domain_that_is_not_verified_may_not_send(tmp_path: Path) -> None:
    async with running(tmp_path, domains="club.test other.test"):
        await send()
        with pytest.raises(ResendError, match="not verified") as refused:
            await send(**{"from": "a@elsewhere.test"})
        assert (refused.value.code, refused.value.error_type) == (403, "validation_error")


async def test_a_call_too_many_in_a_second_waits_its_turn(tmp_path: Path) -> None:
    async with running(tmp_path, rate_per_s=1) as outbox:
        first = await resend.Emails.send_async(mail(), {})
        assert first["http_headers"]["ratelimit-limit"] == "1"
        assert first["http_headers"]["ratelimit-remaining"] == "0"
        answers = await asyncio.gather(*(send() for _ in range(20)), return_exceptions=True)
        limited = [answer for answer in answers if isinstance(answer, RateLimitError)]
        assert limited
        assert limited[0].error_type == "rate_limit_exceeded"
        assert int(limited[0].headers["retry-after"]) == 1
        await outbox.advance(1)
        await send()
        assert len(await outbox.sent()) == 2 + len(answers) - len(limited)
