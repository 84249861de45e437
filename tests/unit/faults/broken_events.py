"""Events that were lost, twisted or passed over. Each function does it to a good day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.unit.faults.spoiling import anas, block_a_slot, spoiling, unmark
from tests.unit.faults.stories import Club


@spoiling("I3", "lost-write")
def a_version_that_was_never_told(club: Club) -> None:
    club.lose("booking.held.v1")


@spoiling("I3", "lost-write")
def a_payment_that_was_never_told(club: Club) -> None:
    club.lose("payment.succeeded.v1")


@spoiling("I3", "lost-write")
def a_profile_that_was_never_told(club: Club) -> None:
    club.lose("user.profile.v1")


@spoiling("I3", "lost-write")
def a_webhook_that_was_never_passed_on(club: Club) -> None:
    club.lose("polar.webhook.v1")


@spoiling("I3", "lost-write")
def a_mail_that_was_never_queued(club: Club) -> None:
    club.lose("notification.queued.v1")


@spoiling("I3", "lost-write")
def a_block_that_was_never_told(club: Club) -> None:
    block_a_slot(club)


@spoiling("I3", "told and not done")
def an_event_without_its_row(club: Club) -> None:
    club.tables["booking"]["bookings"].remove(anas(club))


@spoiling("I3", "inconsistent-offsets")
def one_event_with_two_contents(club: Club) -> None:
    record = club.record("payment.succeeded.v1")
    club.records.append(replace(record, offset=10_000, value=b"{}"))


@spoiling("I3", "two events of one version")
def one_version_told_under_two_ids(club: Club) -> None:
    record = club.record("booking.held.v1")
    club.tell("booking.events", record.type, record.key_text, dict(record.body))


@spoiling("I8", "vanished")
def an_event_that_was_passed_over(club: Club) -> None:
    unmark(club, "booking.confirmed.v1")


@spoiling("I8", "unseen")
def an_event_that_nobody_came_to(club: Club) -> None:
    unmark(club, "booking.confirmed.v1")
    for group in ("payments", "notifications"):
        club.moved_offsets[group, ("booking.events", 0)] = 0


@spoiling("I8", "overdue retry")
def an_event_that_is_due_for_an_hour(club: Club) -> None:
    event_id = unmark(club, "payment.succeeded.v1")
    club.append("booking.retry.5s", "key", b"{}", ce_id=event_id, ce_type="payment.succeeded.v1", x__attempt="1")
    club.run = replace(club.run, drained_at=club.now + timedelta(hours=1))


@spoiling("I8", "unexpected dead letter")
def an_event_of_ours_among_the_dead(club: Club) -> None:
    club.bury("booking", club.record("payment.succeeded.v1"))


@spoiling("I8", "vanished poison")
def poison_that_left_no_trace(club: Club) -> None:
    letter = next(record for record in club.records if record.topic == "booking.dlt")
    club.records.remove(letter)


@spoiling("I8", "dead letter that the desk does not have")
def a_dead_letter_that_was_not_mirrored(club: Club) -> None:
    club.tables["booking"]["dead_letters"].pop()


@spoiling("I8", "dead letter with other bytes")
def a_dead_letter_that_was_changed(club: Club) -> None:
    club.tables["booking"]["dead_letters"][0]["value"] = b"tidier"


@spoiling("I8", "row of no dead letter")
def a_row_of_the_desk_out_of_nothing(club: Club) -> None:
    row = club.tables["booking"]["dead_letters"][0]
    club.tables["booking"]["dead_letters"].append(row | {"offset": 99})


@spoiling("I10", "ahead of the log")
def a_group_that_is_ahead_of_its_log(club: Club) -> None:
    club.moved_offsets["booking", ("payment.events", 0)] = 10_000


@spoiling("I10", "skipped")
def an_event_below_the_offset_and_not_in_the_inbox(club: Club) -> None:
    unmark(club, "booking.confirmed.v1")


@spoiling("I10", "skipped")
def a_retry_that_was_passed_and_not_made(club: Club) -> None:
    event_id = unmark(club, "payment.succeeded.v1")
    club.append("booking.retry.5s", "key", b"{}", ce_id=event_id, ce_type="payment.succeeded.v1", x__attempt="1")


@spoiling("I11", "out of order")
def a_second_version_before_the_first(club: Club) -> None:
    held, confirmed = club.record("booking.held.v1"), club.record("booking.confirmed.v1")
    club.records[club.records.index(held)] = replace(held, offset=confirmed.offset)
    club.records[club.records.index(confirmed)] = replace(confirmed, offset=held.offset)


@spoiling("I11", "key in two partitions")
def a_booking_in_two_partitions(club: Club) -> None:
    record = club.record("payment.succeeded.v1")
    club.records.append(replace(record, partition=1, offset=0))
