"""What clients, attackers and clocks meet, and what must stay private. Each function does it to a good day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.faults.checker.facts import Log
from tests.faults.checker.history import Sample
from tests.unit.faults.spoiling import slot_of, spoiling, unsent
from tests.unit.faults.stories import COURT, NOW, Club, name


def block(club: Club, slot: int, kind: str = "slot.blocked.v1") -> None:
    """As the topic tells of it."""
    club.tell("court.events", kind, COURT, {"blocked_slot_id": f"block {slot}", **slot_of(slot)})


@spoiling("I9", "another answer")
def a_repeated_request_with_another_answer(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call(
        "hold",
        answer={**held.answer, "id": name("a second one")},
        user=held.user,
        key=held.key,
        arguments=held.arguments,
    )


@spoiling("I9", "forgotten key")
def a_repeated_request_that_is_refused(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.refused(
        "hold", 409, "slot-already-taken", user=held.user, key=held.key, arguments=held.arguments, **slot_of(0)
    )


@spoiling("I9", "forgotten key")
def a_block_that_is_refused_when_it_is_asked_for_again(club: Club) -> None:
    asked: dict[str, Any] = {"user": name("desk"), "key": "block", "arguments": slot_of(8)}
    club.call("block", answer={"outcome": "blocked", "blocked_slots": []}, **asked)
    club.refused("block", 409, "slot-already-taken", **asked)


@spoiling("I9", "key taken for another request")
def a_key_that_does_for_two_requests(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call("hold", answer=held.answer, user=held.user, key=held.key, arguments={"court_id": "another"})


@spoiling("I9", "key that was not kept")
def a_key_that_is_in_no_table(club: Club) -> None:
    club.tables["booking"]["idempotency_keys"].pop()


@spoiling("I9", "another answer was kept")
def a_kept_answer_that_nobody_got(club: Club) -> None:
    club.tables["booking"]["idempotency_keys"][0]["body"] = b"{}"


@spoiling("I12", "server error")
def an_answer_of_500(club: Club) -> None:
    club.call("hold", "info", 500, {"type": "", "title": "", "status": 500, "code": "internal"})


@spoiling("I12", "unavailable without a fault")
def an_answer_of_503_on_a_quiet_day(club: Club) -> None:
    club.call("hold", "info", 503, {"type": "", "title": "", "status": 503, "code": "no-database"})


@spoiling("I12", "error that is no problem document")
def an_error_in_html(club: Club) -> None:
    club.call("hold", "fail", 404, None)


@spoiling("I12", "slow")
def answers_that_take_a_second(club: Club) -> None:
    club.run = replace(club.run, rules=replace(club.run.rules, p99_ms=500))
    for _ in range(100):
        call = club.call("list")
        club.history[-1] = replace(call, completed_at=call.invoked_at + timedelta(seconds=1))


@spoiling("I13", "never came to rest")
def a_run_that_does_not_end(club: Club) -> None:
    club.run = replace(club.run, drained_at=None)


@spoiling("I13", "came to rest late")
def a_run_that_takes_minutes_to_end(club: Club) -> None:
    assert club.run.drained_at
    club.run = replace(club.run, last_fault_at=club.run.drained_at - timedelta(minutes=5))


@spoiling("I13", "outbox not empty")
def rows_that_nobody_sends(club: Club) -> None:
    club.tables["payments"]["outbox"].append(
        {
            "seq": 1,
            "id": "1",
            "aggregatetype": "payment.events",
            "aggregateid": "1",
            "type": "payment.succeeded.v1",
            "created_at": NOW,
        }
    )


@spoiling("I13", "group behind")
def a_group_that_has_not_read_all(club: Club) -> None:
    club.moved_offsets["notifications.paced", ("notification.events", 0)] = 0


@spoiling("I13", "intent without an end")
def a_refund_that_hangs(club: Club) -> None:
    club.row("payments", "refunds", origin="booking")["state"] = "calling"


@spoiling("I13", "mail left in the queue")
def a_mail_that_waits_for_nobody(club: Club) -> None:
    unsent(club, "booking-held", "queued")


@spoiling("I13", "idle with work waiting")
def a_relay_that_sleeps(club: Club) -> None:
    for second in range(40):
        at = NOW + timedelta(seconds=second)
        club.samples.append(Sample("I13", at, state={"fronts": {"booking relay": 7}}))


@spoiling("I14", "retried too early")
def a_second_failure_right_after_the_first(club: Club) -> None:
    event_id = club.record("payment.succeeded.v1").id
    for attempt in (1, 2):
        club.append("booking.retry.5s", "key", b"{}", ce_id=event_id, ce_type="x", x__attempt=str(attempt))


@spoiling("I14", "refused though nobody has it")
def a_free_slot_that_is_refused(club: Club) -> None:
    club.refused("hold", 409, "slot-already-taken", user=name("Fay"), key="why", **slot_of(8))


@spoiling("I14", "refused though nobody has it")
def a_slot_that_is_refused_after_its_block_is_gone(club: Club) -> None:
    block(club, 8)
    block(club, 8, "slot.unblocked.v1")
    club.now += timedelta(minutes=1)
    club.refused("hold", 409, "slot-already-taken", user=name("Fay"), key="why", **slot_of(8))


@spoiling("I14", "refused though nobody has it")
def a_slot_that_is_refused_because_of_a_block_beside_it(club: Club) -> None:
    block(club, 9)
    club.refused("hold", 409, "slot-already-taken", user=name("Fay"), key="why", **slot_of(8))


@spoiling("I14", "hold that outlived its end")
def a_hold_that_is_over_and_in_the_way(club: Club) -> None:
    held = club.hold("Gus", slot=6)
    club.now = held["hold_expires_at"] + timedelta(seconds=5)
    club.refused("hold", 409, "slot-already-taken", user=name("Fay"), key="why", **slot_of(6))


@spoiling("I15", "touched by an attacker")
def a_booking_of_an_attacker(club: Club) -> None:
    club.run = replace(club.run, hostile_users=frozenset({name("Ana")}))


@spoiling("I15", "attacker was answered")
def an_answer_to_an_attacker(club: Club) -> None:
    club.run = replace(club.run, hostile_users=frozenset({name("Mallory")}))
    club.call("list", user=name("Mallory"))


@spoiling("I15", "another's booking was shown")
def a_booking_that_is_shown_to_another(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call("get", answer=held.answer, user=name("Ian"))


@spoiling("I15", "another's booking was shown")
def a_list_with_bookings_of_another(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call("list", answer={"items": [held.answer]}, user=name("Ian"))


@spoiling("I15", "forged webhook taken")
def a_webhook_that_its_provider_never_sent(club: Club) -> None:
    club.polar_webhooks.remove(club.webhook("order.paid")["webhook_id"])


@spoiling("I17", "personal data in a record")
def an_address_in_an_event(club: Club) -> None:
    club.bend(club.record("booking.held.v1"), player="ana@club.example")


@spoiling("I17", "personal data in a record")
def a_name_in_an_event(club: Club) -> None:
    club.run = replace(club.run, canaries=("Quagga",))
    club.bend(club.record("booking.held.v1"), player="Ana Quagga")


@spoiling("I17", "personal data in a header")
def an_address_in_the_reason_of_a_failure(club: Club) -> None:
    club.append("booking.retry.5s", "key", b"{}", ce_id=name("x"), x__error__message="no such user ana@club.example")


@spoiling("I17", "personal data in a dead letter")
def an_address_at_the_desk(club: Club) -> None:
    club.tables["booking"]["dead_letters"][0]["error_message"] = "ana@club.example"


@spoiling("I17", "personal data in a log")
def an_address_in_a_log(club: Club) -> None:
    club.loud_lines.append(Log("booking.log", 1, "hello ana@club.example"))
