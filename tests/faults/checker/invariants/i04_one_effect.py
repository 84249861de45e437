"""I4: what happened is told to its player once: one mail for each event that asks for one, unless a later one made it old news, and nothing
older leaves behind what is newer. The judge is the provider's outbox, not our table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.faults.checker.expected_events import TAKEN
from tests.faults.checker.facts import Facts, Row
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

NEWS = {
    "booking.held.v1": "booking-held",
    "booking.confirmed.v1": "booking-confirmed",
    "booking.rescheduled.v1": "booking-rescheduled",
    "booking.expired.v1": "booking-expired",
}
OF_MONEY = {"payment.refunded.v1": "refund-done", "payment.refund_failed.v1": "refund-failed"}
MAY_BE_OUT = ("unknown", "failed", "suppressed")
"""The outcome is not known, or the provider took the mail and did not send it. Neither is that of a try whose answer was lost."""
OF_THE_PROVIDER = ("failed", "suppressed")
NOBODY_KNOWS = ("unknown", "refused")
STANDS_STILL = (4, 8)
"""Rows in which a process is stopped and goes on: in the middle of its call, perhaps."""
TURN_SECONDS = 6.0
"""From the decision that a mail may go out until the call begins at the latest."""


class Wanted(NamedTuple):
    kind: str
    booking_id: str
    version: int
    refund_id: str = ""


def examine(facts: Facts) -> Finding:
    rows = facts.table("notifications", "emails")
    return Finding.of(
        len(rows) + len(facts.resend.mails),
        [*_unwritten(facts), *_doubled(facts), *_sent_or_not(facts), *_overtaken(facts)],
    )


def kind_of(record: Record) -> str | None:
    if record.type == "booking.cancelled.v1":
        return "court-closed" if record.body.get("cancelled_by") == "club" else "booking-cancelled"
    return NEWS.get(record.type)


def _wanted(facts: Facts) -> Iterator[Wanted]:
    for booking_id, versions in facts.events.items():
        for version, record in versions.items():
            if (kind := kind_of(record)) and record.id not in facts.run.fatal_events:
                yield Wanted(kind, booking_id, version)
    for record in facts.on("payment.events"):
        if kind := OF_MONEY.get(record.type):
            yield Wanted(kind, record.key_text, 0, str(record.body.get("refund_id")))


def _unwritten(facts: Facts) -> Iterator[Violation]:
    written = {
        Wanted(row["kind"], row["booking_id"], row["version"], row["refund_id"])
        for row in facts.table("notifications", "emails")
    }
    for one in sorted(set(_wanted(facts)) - written):
        yield violation("lost mail", **one._asdict())


def _doubled(facts: Facts) -> Iterator[Violation]:
    """By what the mail is about, whatever key it came under."""
    about = Counter(mail["tags"].get("email_id", mail["id"]) for mail in facts.resend.mails)
    keys = Counter(mail["idempotency_key"] for mail in facts.resend.mails if mail["idempotency_key"])
    for email_id, count in about.items():
        if count > 1:
            yield violation("duplicate mail", email_id=email_id, count=count)
    for key, count in keys.items():
        if count > 1:
            yield violation("key used twice", key=key, count=count)


def _sent_or_not(facts: Facts) -> Iterator[Violation]:
    out = {mail["tags"].get("email_id"): mail for mail in facts.resend.mails}
    news: dict[str, int] = defaultdict(int)
    for booking_id, versions in facts.events.items():
        news[booking_id] = max((version for version, record in versions.items() if kind_of(record)), default=0)
    known = set()
    for row in facts.table("notifications", "emails"):
        known.add(row["id"])
        what = _wrong(row, is_out=row["id"] in out, news=news[row["booking_id"]])
        if what is None and _is_given_up(facts, row, out.get(row["id"])):
            what = "mail that was given up"
        if what is not None:
            yield violation(
                what, email_id=row["id"], kind=row["kind"], booking_id=row["booking_id"], state=row["state"]
            )
    for email_id, mail in out.items():
        if email_id not in known:
            yield violation("mail that nobody wrote", mail=mail["id"], email_id=email_id)


def _wrong(row: Row, *, is_out: bool, news: int) -> str | None:
    state = row["state"]
    if state in TAKEN:
        return None if is_out else "lost mail"
    if is_out and state not in MAY_BE_OUT and row["first_tried_at"] is None:
        return "mail that was not to go out"
    if state == "superseded" and row["version"] >= news:
        return "last news was not sent"
    if state == "expired" and row["useless_after"] is None:
        return "mail that never expires was not sent"
    return None


def _is_given_up(facts: Facts, row: Row, mail: Row | None) -> bool:
    """What never left without anybody's word for it: the provider's that it kept it back, the player's that they are gone, or a fault that
    may have cost the answer.
    """
    state = row["state"]
    if state in OF_THE_PROVIDER:
        return mail is None or mail["last_event"] != state
    if state == "dropped":
        return (known := facts.profiles.get(row["user_id"])) is not None and known.value is not None
    if state in NOBODY_KNOWS and mail is None:
        since, heals = row["created_at"], facts.run.rules.heals_seconds
        return not facts.was_under_fault(
            since, facts.run.drained_at or since, heals, "notifications", "resend", "kafka"
        )
    return False


def _overtaken(facts: Facts) -> Iterator[Violation]:
    """A mail that left though later news had been written down, and was there to be seen, before its turn came."""
    at = {mail["tags"].get("email_id"): datetime.fromisoformat(mail["created_at"]) for mail in facts.resend.mails}
    by_booking: dict[str, list[Row]] = defaultdict(list)
    for row in facts.table("notifications", "emails"):
        if row["version"] and row["copy"] == 0 and row["kind"] != "booking-reminder":
            by_booking[row["booking_id"]].append(row)
    patience, told_at = timedelta(seconds=facts.run.rules.mail_call_seconds + TURN_SECONDS), _told_at(facts)
    for theirs in by_booking.values():
        for row in theirs:
            known = (told_at.get(one["id"]) or one["created_at"] for one in theirs if one["version"] > row["version"])
            later: datetime | None = min(known, default=None)
            if later is None or row["id"] not in at:
                continue
            out = min(at[row["id"]], row["sent_at"] or at[row["id"]])
            if out > later + patience and not _held_up(facts, later, out):
                yield violation("old news", email_id=row["id"], kind=row["kind"], sent_at=out, known_at=later)


def _told_at(facts: Facts) -> dict[str, datetime]:
    """When each mail's record was on the topic: by then its row was committed. The row's own time is that at which its transaction began,
    and one for five hundred events may take seconds, in which nobody else can know of it.
    """
    found: dict[str, datetime] = {}
    for record in facts.on("notification.events"):
        if record.type == "notification.queued.v1":
            found.setdefault(str(record.body.get("email_id")), record.at)
    return found


def _held_up(facts: Facts, since: datetime, until: datetime) -> bool:
    """A process that is stopped inside its call, or a line that keeps the request, has no fence at the provider: a known limit."""
    for fault in facts.faults:
        stopped = fault.row in STANDS_STILL and fault.may_touch("notifications")
        on_the_way = stopped or "→resend" in fault.target or fault.kind == "mailer_silent_when_done"
        if on_the_way and fault.covers(since, until, slack_seconds=10):
            return True
    return False
