"""The checker itself: what is as it should be passes, and each thing that can be wrong is found, under its name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.checker.checking import judge
from tests.faults.checker.history import Fault, Sample
from tests.faults.checker.invariants import INVARIANTS
from tests.faults.checker.verdict import Finding
from tests.unit.faults import (  # each lists what it breaks
    broken_bookings,
    broken_calls,
    broken_events,
    broken_money_and_mails,
)
from tests.unit.faults.spoiling import SPOILS, Spoil, a_good_day, anas, day_as_shown, slot_of, unmark
from tests.unit.faults.stories import NOW, VENUE, Club, name


def test_a_good_day_is_clean() -> None:
    verdict = judge(a_good_day().facts())
    assert {each: list(verdict.findings[each].violations) for each in verdict.broken} == {}


def test_a_good_day_holds_something_against_each_invariant() -> None:
    verdict = judge(a_good_day().facts())
    assert [each for each, finding in verdict.findings.items() if not finding.checked] == []


def test_a_hold_whose_outcome_nobody_knows_may_have_made_its_booking() -> None:
    club = a_good_day()
    held = next(call for call in club.history if call.user == name("Ana"))
    club.history[club.history.index(held)] = replace(held, outcome="info", status=None, answer=None)
    assert judge(club.facts()).clean


def test_a_day_that_is_shown_as_it_is_is_clean() -> None:
    club = a_good_day()
    day_as_shown(club)
    assert judge(club.facts()).clean


def test_an_event_that_waits_for_its_next_try_has_not_vanished() -> None:
    club = a_good_day()
    event_id = unmark(club, "payment.succeeded.v1")
    club.append("booking.retry.1h", "key", b"{}", ce_id=event_id, ce_type="payment.succeeded.v1", x__attempt="1")
    club.moved_offsets["booking.retry.1h", ("booking.retry.1h", 0)] = 0
    club.run = replace(club.run, drained_at=club.now + timedelta(minutes=5))
    assert judge(club.facts()).clean


def test_a_repetition_is_out_of_nobodys_order() -> None:
    club = a_good_day()
    held = club.record("booking.held.v1")
    club.records.append(replace(held, offset=10_000))
    assert judge(club.facts()).findings["I11"].clean


def test_a_mail_may_leave_while_later_news_is_not_yet_committed() -> None:
    club = a_good_day()
    booking = club.row("booking", "bookings", user_id=name("Ben"))
    mail = club.row("notifications", "emails", booking_id=booking["id"], kind="booking-cancelled")
    broken_money_and_mails.a_confirmation_that_left_long_after_the_cancellation(club)
    told = next(one for one in club.records if one.body.get("email_id") == mail["id"])
    club.records[club.records.index(told)] = replace(told, at=told.at + timedelta(minutes=5))
    assert judge(club.facts()).findings["I4"].clean


def test_a_process_that_stood_still_in_its_call_may_send_old_news() -> None:
    club = a_good_day()
    broken_money_and_mails.a_confirmation_that_left_long_after_the_cancellation(club)
    club.faults.append(Fault("stop a process", 4, NOW, NOW + timedelta(hours=1), "notifications"))
    assert judge(club.facts()).findings["I4"].clean


def test_staff_may_give_back_a_part_of_what_a_booking_stands_on() -> None:
    club = a_good_day()
    club.give_back(anas(club), anas(club)["order_id"], 500, origin="staff")
    assert judge(club.facts()).clean


def test_money_that_fits_nothing_may_wait_for_a_person() -> None:
    club = a_good_day()
    booking = club.hold("Gus", slot=6)
    club.enter("charge", "odd", booking["id"], 100)
    doubt = {"polar_order_id": "odd", "reason": "other-amount", "booking_id": booking["id"], "settled_at": None}
    club.tables["payments"]["quarantined_orders"].append(doubt)
    assert judge(club.facts()).clean


def test_503_is_an_answer_while_the_database_is_away() -> None:
    club = a_good_day()
    call = club.call("hold", "info", 503, {"type": "", "title": "", "status": 503, "code": "no-database"})
    club.faults.append(Fault("postgres_crash", 10, call.invoked_at - timedelta(seconds=5), call.invoked_at, "postgres"))
    assert judge(club.facts()).findings["I12"].clean


@pytest.mark.parametrize("target", ["kafka", "polar", "payments-worker", "resend→notifications-api", "booking.events"])
def test_503_is_no_answer_while_what_no_hold_needs_is_away(target: str) -> None:
    club = a_good_day()
    call = club.call("hold", "info", 503, {"type": "", "title": "", "status": 503, "code": "no-database"})
    club.faults.append(Fault("a fault", 20, call.invoked_at - timedelta(seconds=5), call.invoked_at, target))
    assert not judge(club.facts()).findings["I12"].clean


@pytest.mark.parametrize(
    ("target", "excuses"),
    [
        ("payments-worker", True),
        ("payments→kafka", True),
        ("kafka", True),
        ("polar", True),
        ("all", True),
        ("resend", False),
        ("booking-api", False),
    ],
)
def test_a_worker_may_stand_still_while_what_it_needs_is_away(target: str, *, excuses: bool) -> None:
    club = a_good_day()
    club.faults.append(Fault("a fault", 1, NOW, NOW + timedelta(seconds=40), target))
    for second in range(40):
        state = {"fronts": {"payments.projections group": [7, {}]}}
        club.samples.append(Sample("I13", NOW + timedelta(seconds=second), state=state))
    assert judge(club.facts()).findings["I13"].clean is excuses


def test_who_goes_carefully_through_a_batch_does_not_stand_still() -> None:
    club = a_good_day()
    for second in range(40):
        state = {"fronts": {"payments group": [7, {"booking.events": second // 20}]}}
        club.samples.append(Sample("I13", NOW + timedelta(seconds=second), state=state))
    assert judge(club.facts()).findings["I13"].clean


@pytest.mark.parametrize(
    ("kind", "details", "hit"),
    [
        ("kill", {"killed": True}, True),
        ("kill", {"killed": False}, False),
        ("postgres_crash", {}, True),
        ("records_shuffled", {"out_of_reach": "TimeoutError"}, False),
        ("records_repeated", {"records": 0}, False),
        ("webhooks_lost", {"struck": 0}, False),
        ("link_cut", {"struck": 3}, True),
        ("link_delayed", {"struck": 0}, False),
        ("redrive", {"status": 202}, True),
        ("redrive", {"status": 409}, False),
        ("redrive", {"status": None}, False),
    ],
)
def test_a_fault_that_struck_nothing_is_in_vain(kind: str, details: dict[str, object], *, hit: bool) -> None:
    assert Fault(kind, 1, NOW, NOW, details=details).hit is hit


@pytest.mark.parametrize(
    ("kind", "details", "came_to"),
    [
        ("die_around_a_refund", {"reached": True}, "die_around_a_refund"),
        ("die_around_a_refund", {"reached": False}, "kill"),
        ("second_relay", {"took_over": True}, "second_relay"),
        ("second_relay", {"took_over": False}, "freeze"),
        ("postgres_crash", {}, "postgres_crash"),
    ],
)
def test_a_fault_counts_as_what_it_came_to(kind: str, details: dict[str, object], came_to: str) -> None:
    assert Fault(kind, 1, NOW, NOW, details=details).came_to == came_to


def test_a_fault_that_struck_nothing_excuses_nothing() -> None:
    club = a_good_day()
    call = club.call("hold", "info", 503, {"type": "", "title": "", "status": 503, "code": "no-database"})
    club.faults.append(Fault("link_cut", 55, call.invoked_at, call.completed_at, "booking-api→postgres", {"struck": 0}))
    assert judge(club.facts()).findings["I12"].kinds == {"unavailable without a fault": 1}


def test_a_process_of_others_that_stood_still_excuses_no_old_news() -> None:
    club = a_good_day()
    broken_money_and_mails.a_confirmation_that_left_long_after_the_cancellation(club)
    club.faults.append(Fault("freeze", 4, NOW, NOW + timedelta(hours=1), "booking-api"))
    assert judge(club.facts()).findings["I4"].kinds == {"old news": 1}


def test_money_that_the_provider_would_not_give_back_may_wait_for_a_person() -> None:
    club = a_good_day()
    broken_money_and_mails.money_that_we_gave_up_to_give_back(club)
    order = club.row("payments", "refunds", origin="booking")["polar_order_id"]
    refused = {"method": "POST", "path": "/v1/refunds/", "status": 400, "body": json.dumps({"order_id": order})}
    club.requests.append(refused | {"answer": "{}"})
    kinds = judge(club.facts()).findings["I6"].kinds
    assert kinds["payment kept for no booking"] == 1, "that of the other booking, which nobody tried to give back"


def test_a_court_that_the_club_took_for_itself_may_be_refused() -> None:
    club = a_good_day()
    broken_calls.block(club, 8)
    club.refused("hold", 409, "slot-already-taken", user=name("Fay"), key="why", **slot_of(8))
    assert judge(club.facts()).findings["I14"].clean


def test_a_day_on_which_nothing_was_paid_proves_nothing_about_money() -> None:
    club = Club()
    club.hold("Ana", slot=0)
    verdict = judge(club.facts())
    assert re.search(r"I6 +unproven +0", verdict.table())
    assert verdict.word.startswith("CLEAN, and unproven I")
    assert "I6" in verdict.unproven


def test_a_relay_that_works_is_not_idle_however_long_its_line_is() -> None:
    club = a_good_day()
    for second in range(40):
        at = NOW + timedelta(seconds=second)
        club.samples.append(Sample("I13", at, state={"fronts": {"booking relay": second // 20}}))
    assert judge(club.facts()).clean


def test_a_try_after_its_wait_is_not_early() -> None:
    club = a_good_day()
    event_id = club.record("payment.succeeded.v1").id
    for attempt in (1, 2):
        club.append("booking.retry.5s", "key", b"{}", ce_id=event_id, ce_type="x", x__attempt=str(attempt))
        club.now += timedelta(seconds=5)
    assert judge(club.facts()).findings["I14"].clean


def test_staff_see_the_bookings_of_their_venue() -> None:
    club = a_good_day()
    held = next(call for call in club.history if call.op == "hold")
    club.tables["booking"]["venue_staff"].append({"user_id": name("desk"), "venue_id": VENUE})
    club.call("get", answer=held.answer, user=name("desk"))
    assert judge(club.facts()).clean


@pytest.mark.parametrize(("invariant", "what", "spoil"), SPOILS, ids=[spoil.__name__ for _, _, spoil in SPOILS])
def test_each_kind_of_broken_facts_is_caught(invariant: str, what: str, spoil: Spoil) -> None:
    club = a_good_day()
    spoil(club)
    assert what in judge(club.facts()).findings[invariant].kinds


def test_nothing_that_can_be_found_is_left_without_a_test() -> None:
    folder = Path(__file__).parents[2] / "faults" / "checker" / "invariants"
    for file in sorted(folder.glob("i*.py")):
        named = set(re.findall(r"""violation\(\s*"([^"]+)"(?: if \w+ else "([^"]+)")?""", file.read_text()))
        tested = {what for invariant, what, _ in SPOILS if invariant == f"I{int(file.name[1:3])}"}
        assert {what for pair in named for what in pair if what} <= tested, file.name
    broken = (broken_bookings, broken_calls, broken_events, broken_money_and_mails)
    assert {spoil.__module__ for _, _, spoil in SPOILS} == {module.__name__ for module in broken}
    assert {invariant for invariant, _, _ in SPOILS} == set(INVARIANTS)


def test_a_thousand_of_one_kind_hide_no_other_kind() -> None:
    finding = Finding.of(1, [{"what": "lost mail"}] * 1000 + [{"what": "old news"}])
    assert {each["what"] for each in finding.shown} == {"lost mail", "old news"}


def test_what_is_redriven_later_makes_no_earlier_try_early() -> None:
    club = a_good_day()
    event_id = club.record("payment.succeeded.v1").id
    club.append("booking.dlt", "key", b"{}", ce_id=event_id, ce_type="x", x__attempt="1")
    club.now += timedelta(minutes=10)
    club.append("booking.retry.5s", "key", b"{}", ce_id=event_id, ce_type="x", x__attempt="0")
    assert judge(club.facts()).findings["I14"].clean


def test_what_is_still_in_the_outbox_is_late_and_not_lost() -> None:
    club = a_good_day()
    row = {
        "seq": 1,
        "id": name("late"),
        "aggregatetype": "booking.events",
        "aggregateid": anas(club)["id"],
        "created_at": NOW,
    }
    club.tables["booking"]["outbox"].append(row | {"type": "booking.confirmed.v1"})
    club.lose("booking.confirmed.v1")
    verdict = judge(club.facts())
    assert verdict.findings["I3"].clean
    assert "outbox not empty" in verdict.findings["I13"].kinds
