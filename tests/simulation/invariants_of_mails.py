"""I4: whoever must hear of something gets one mail of it, and nobody gets one twice; judged by what Resend really took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.facts import Facts

NEWS = {
    "booking.held.v1": ("booking-held",),
    "booking.confirmed.v1": ("booking-confirmed",),
    "booking.rescheduled.v1": ("booking-rescheduled",),
    "booking.cancelled.v1": ("booking-cancelled", "court-closed"),
    "booking.expired.v1": ("booking-expired",),
}
OUT = ("sent", "delivered", "bounced")
MAYBE_OUT = ("superseded", "expired", "unknown", "dropped")
"""A try may have been made whose answer never came."""


def one_mail_for_each_news(facts: Facts) -> Iterator[str]:
    taken = Counter(_tag(mail, "email_id") for mail in facts.mails)
    kept_back = {_tag(mail, "email_id") for mail in facts.mails if mail["last_event"] == "suppressed"}
    """By Resend, for what became of earlier ones to this address."""
    emails = facts.rows["notifications.emails"]
    for row in emails:
        count = taken.pop(str(row["id"]), 0)
        if count > 1 or (row["state"] in OUT and count == 0):
            yield f"mail {row['id']} ({row['kind']}) is {row['state']} and was taken {count} times"
        if count and row["state"] not in (*OUT, *MAYBE_OUT) and str(row["id"]) not in kept_back:
            yield f"mail {row['id']} ({row['kind']}) is {row['state']}, and is out"
    for email_id in taken:
        yield f"mail {email_id} is out, and nobody wrote it"
    written = Counter((row["kind"], str(row["booking_id"]), row["version"], row["refund_id"]) for row in emails)
    for what, count in written.items():
        if count > 1:
            yield f"{what} was written {count} times"
    yield from _news_that_nobody_heard(facts)


def _news_that_nobody_heard(facts: Facts) -> Iterator[str]:
    """The last news of a booking is told, and so is each refund, unless it came too late to be of use, or the address takes no mail."""
    emails = {(str(row["booking_id"]), row["version"], row["refund_id"]): row for row in _told_once(facts)}
    news = [said for said in facts.about("booking.events") if said.type in NEWS]
    last = {said.key: said for said in sorted(news, key=lambda said: int(said.body["version"]))}
    for said in news:
        row = emails.get((said.key, said.body["version"], ""))
        if row is None or row["kind"] not in NEWS[said.type]:
            yield f"no mail was written of {said.type} of {said.key}"
        elif said is last[said.key] and not _heard(facts, row):
            yield f"the last mail of {said.key}, of {said.type}, is {row['state']}"
    for said in facts.about("payment.events"):
        if said.type in ("payment.refunded.v1", "payment.refund_failed.v1"):
            kind = "refund-done" if said.type == "payment.refunded.v1" else "refund-failed"
            found = [row for row in facts.rows["notifications.emails"] if row["refund_id"] == said.body["refund_id"]]
            if not any(row["kind"] == kind and _heard(facts, row) for row in found):
                yield f"nobody heard of {said.type} {said.body['refund_id']}"


def _told_once(facts: Facts) -> list[Any]:
    """Without reminders, which are of a version that was told before."""
    return [row for row in facts.rows["notifications.emails"] if row["kind"] != "booking-reminder"]


def _heard(facts: Facts, row: Any) -> bool:
    if row["state"] in OUT or row["state"] == "unknown":
        return True
    too_late = row["state"] == "expired" and row["kind"] in ("booking-held", "booking-reminder")
    kept_back = row["state"] == "suppressed" and str(row["user_id"]) in facts.bounced
    forgotten = row["state"] == "dropped" and str(row["user_id"]) in facts.erased
    return too_late or kept_back or forgotten


def _tag(mail: Any, name: str) -> str:
    return next(str(tag["value"]) for tag in mail["tags"] if tag["name"] == name)
