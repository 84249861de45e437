"""Bookings and courts that are not as they should be. Each function does it to a good day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.unit.faults.spoiling import anas, block_a_slot, day_as_shown, rename, spoiling
from tests.unit.faults.stories import COURT, FIRST_SLOT, NOW, SLOT, Club, name


@spoiling("I1", "overlap")
def two_claims_to_one_court(club: Club) -> None:
    claim = club.row("booking", "court_occupancy", booking_id=anas(club)["id"])
    club.tables["booking"]["court_occupancy"].append(claim | {"id": -1, "booking_id": None, "blocked_slot_id": "block"})


@spoiling("I1", "overlapping bookings")
def two_bookings_of_oneslot_of(club: Club) -> None:
    club.hold("Gus", slot=0)


@spoiling("I1", "overlap in the course of the run")
def two_bookings_of_one_slot_of_which_one_was_given_up_later(club: Club) -> None:
    second = club.hold("Gus", slot=0)
    club.now += timedelta(minutes=1)
    club.cancel(second)


@spoiling("I1", "booking without its court")
def a_booking_that_claims_nothing(club: Club) -> None:
    rows = club.tables["booking"]["court_occupancy"]
    rows[:] = [row for row in rows if row["booking_id"] != anas(club)["id"]]


@spoiling("I1", "booking with another court")
def a_booking_that_claims_another_time(club: Club) -> None:
    club.row("booking", "court_occupancy", booking_id=anas(club)["id"])["ends_at"] += timedelta(minutes=30)


@spoiling("I1", "court of a booking that is over")
def a_claim_that_outlived_its_booking(club: Club) -> None:
    claim = club.row("booking", "court_occupancy", booking_id=anas(club)["id"])
    gone = club.row("booking", "bookings", user_id=name("Eva"))
    span = {"starts_at": gone["starts_at"], "ends_at": gone["ends_at"]}
    club.tables["booking"]["court_occupancy"].append(claim | span | {"id": -1, "booking_id": gone["id"]})


@spoiling("I1", "too many active bookings")
def a_third_active_booking(club: Club) -> None:
    for slot in (7, 8):
        club.pay(club.hold("Ana", slot))


@spoiling("I2", "lost-write")
def an_answer_about_a_booking_that_is_nowhere(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call("hold", answer={**held.answer, "id": name("nowhere")}, user=held.user)


@spoiling("I2", "lost-write")
def an_answer_about_a_version_that_is_not_there(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call("get", answer={**held.answer, "version": 9}, user=held.user)


@spoiling("I2", "lost-write")
def a_block_that_nobody_is_told_of(club: Club) -> None:
    club.call("block", answer={"outcome": "blocked", "blocked_slots": [{"id": name("a block")}]}, user=name("desk"))


@spoiling("I2", "lost-write")
def the_end_of_a_block_that_nobody_is_told_of(club: Club) -> None:
    club.call("unblock", answer={"unblocked": 1}, user=name("desk"), arguments={"blocked_slot_id": name("a block")})


@spoiling("I2", "untrue answer")
def an_answer_with_another_price(club: Club) -> None:
    held = next(call for call in club.history if call.op == "hold")
    club.call("get", answer={**held.answer, "price": {"amount": 1, "currency": "EUR"}}, user=held.user)


@spoiling("I2", "booking that nobody asked for")
def a_booking_out_of_nothing(club: Club) -> None:
    ana = next(call for call in club.history if call.user == name("Ana"))
    club.history[:] = [call for call in club.history if call.user != name("Ana")]
    club.history.append(replace(ana, op="get"))


@spoiling("I2", "booking that nobody asked for")
def a_booking_that_was_refused(club: Club) -> None:
    held = next(call for call in club.history if call.user == name("Ana"))
    problem = {"type": "", "title": "", "status": 409, "code": "slot-already-taken"}
    club.history[club.history.index(held)] = replace(held, outcome="fail", status=409, answer=problem)


@spoiling("I2", "change that nobody asked for")
def a_cancellation_out_of_nothing(club: Club) -> None:
    club.history[:] = [call for call in club.history if call.op != "cancel"]


@spoiling("I2", "change that nobody asked for")
def a_cancellation_that_an_attacker_asked_for(club: Club) -> None:
    [asked, *_] = [call for call in club.history if call.op == "cancel"]
    club.history[club.history.index(asked)] = replace(asked, user=name("mallory"))
    club.run = replace(club.run, hostile_users=frozenset({name("mallory")}))


@spoiling("I2", "change that nobody asked for")
def a_move_out_of_nothing(club: Club) -> None:
    club.history[:] = [call for call in club.history if call.op != "reschedule"]


@spoiling("I2", "trace of a refusal")
def a_key_that_was_kept_of_a_refusal(club: Club) -> None:
    kept = {"user_id": name("Fay"), "key": "in vain", "status": 201, "body": b"{}", "created_at": NOW}
    club.tables["booking"]["idempotency_keys"].append(kept)


@spoiling("I7", "life that begins in the middle")
def a_first_event_that_is_no_beginning(club: Club) -> None:
    club.lose("booking.held.v1")
    rename(club, "booking.confirmed.v1", "booking.rescheduled.v1")


@spoiling("I7", "impossible step")
def a_hold_that_is_completed(club: Club) -> None:
    rename(club, "booking.confirmed.v1", "booking.completed.v1")


@spoiling("I7", "impossible state")
def a_confirmation_after_which_it_is_held(club: Club) -> None:
    club.bend(club.record("booking.confirmed.v1"), status="held")


@spoiling("I7", "frozen fact changed")
def a_price_that_thaws(club: Club) -> None:
    club.bend(club.record("booking.confirmed.v1"), price_minor=1)


@spoiling("I7", "cancelled too late")
def a_player_cancels_an_hour_before(club: Club) -> None:
    booking = anas(club)
    club.now = booking["starts_at"] - timedelta(hours=1)
    club.cancel(booking)


@spoiling("I7", "cancelled too late")
def a_player_moves_an_hour_before(club: Club) -> None:
    booking = anas(club)
    club.now = booking["starts_at"] - timedelta(hours=1)
    club.move(booking, 7)


@spoiling("I7", "expired too early")
def a_hold_that_ends_before_its_time(club: Club) -> None:
    record = club.record("booking.expired.v1")
    club.bend(record, hold_expires_at=(record.time + timedelta(minutes=5)).isoformat())


@spoiling("I7", "row that is not its last event")
def a_row_with_another_end(club: Club) -> None:
    anas(club)["ends_at"] += timedelta(minutes=1)


@spoiling("I7", "booking that payments does not know")
def a_booking_without_an_attempt(club: Club) -> None:
    attempt = club.row(
        "payments", "payment_attempts", booking_id=club.row("booking", "bookings", user_id=name("Eva"))["id"]
    )
    club.tables["payments"]["payment_attempts"].remove(attempt)


@spoiling("I7", "booking that notifications does not know")
def a_booking_without_a_copy(club: Club) -> None:
    club.tables["notifications"]["bookings"].pop()


@spoiling("I7", "stale copy")
def a_copy_that_stayed_behind(club: Club) -> None:
    club.tables["notifications"]["bookings"][0]["version"] = 1


@spoiling("I7", "stale copy")
def a_profile_that_stayed_behind(club: Club) -> None:
    club.tables["payments"]["profiles"][0]["email"] = "old@club"


@spoiling("I7", "block with a gap")
def a_block_that_holds_nothing(club: Club) -> None:
    block_a_slot(club)
    club.tell("court.events", "slot.blocked.v1", COURT, {"blocked_slot_id": "block-1"})
    club.tables["booking"]["court_occupancy"].pop()


@spoiling("I16", "slot that is not on the grid")
def a_slot_at_another_time(club: Club) -> None:
    day_as_shown(club)[5]["starts_at"] = (FIRST_SLOT + 5 * SLOT + timedelta(minutes=5)).isoformat()


@spoiling("I16", "slot that is not on the grid")
def a_slot_at_another_price(club: Club) -> None:
    day_as_shown(club)[5]["price"]["amount"] = 1


@spoiling("I16", "slot is missing")
def a_slot_that_is_not_shown(club: Club) -> None:
    day_as_shown(club).pop(5)


@spoiling("I16", "taken slot is offered")
def a_taken_slot_that_is_offered(club: Club) -> None:
    day_as_shown(club)[0]["reason"] = None


@spoiling("I16", "free slot is not offered")
def a_free_slot_that_is_not_offered(club: Club) -> None:
    day_as_shown(club)[7]["reason"] = "booked"


@spoiling("I16", "booking off the grid")
def a_booking_between_two_slots(club: Club) -> None:
    for row in (anas(club), club.row("booking", "court_occupancy", booking_id=anas(club)["id"])):
        row["starts_at"] -= timedelta(minutes=10)


@spoiling("I16", "other price")
def a_booking_at_a_price_that_is_not_listed(club: Club) -> None:
    anas(club)["price_minor"] = 1
