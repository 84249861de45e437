"""Money that does not close, and mails that should not be. Each function does it to a good day."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.faults.spoiling import anas, spoiling, unsent
from tests.unit.faults.stories import PRICE, Club, name


@spoiling("I4", "lost mail")
def news_that_nobody_wrote_a_mail_about(club: Club) -> None:
    mail = club.row("notifications", "emails", kind="booking-expired")
    club.tables["notifications"]["emails"].remove(mail)
    club.mails[:] = [one for one in club.mails if one["idempotency_key"] != mail["id"]]


@spoiling("I4", "lost mail")
def a_mail_that_is_sent_by_our_word_alone(club: Club) -> None:
    club.mails.pop()


@spoiling("I4", "duplicate mail")
def a_mail_that_went_out_twice(club: Club) -> None:
    club.mails.append(club.mails[0] | {"id": "again", "idempotency_key": "another"})


@spoiling("I4", "key used twice")
def a_key_under_which_two_mails_went_out(club: Club) -> None:
    club.mails.append(club.mails[0] | {"id": "again"})


@spoiling("I4", "mail that nobody wrote")
def a_mail_out_of_nothing(club: Club) -> None:
    club.mails.append(club.mails[0] | {"id": "new", "idempotency_key": "new", "tags": {"email_id": "new"}})


@spoiling("I4", "mail that was not to go out")
def a_mail_that_was_set_aside_and_sent(club: Club) -> None:
    club.row("notifications", "emails", kind="booking-held")["state"] = "superseded"


@spoiling("I4", "last news was not sent")
def the_last_news_set_aside_as_old(club: Club) -> None:
    unsent(club, "booking-expired", "superseded")


@spoiling("I4", "mail that never expires was not sent")
def a_cancellation_set_aside_as_too_late(club: Club) -> None:
    unsent(club, "booking-cancelled", "expired")


@spoiling("I4", "mail that was given up")
def a_mail_that_failed_by_our_word_alone(club: Club) -> None:
    unsent(club, "booking-cancelled", "failed")


@spoiling("I4", "mail that was given up")
def a_mail_that_is_kept_back_though_it_was_delivered(club: Club) -> None:
    club.row("notifications", "emails", kind="booking-cancelled")["state"] = "suppressed"


@spoiling("I4", "mail that was given up")
def a_mail_that_was_refused_on_a_quiet_day(club: Club) -> None:
    unsent(club, "booking-cancelled", "refused")


@spoiling("I4", "mail that was given up")
def a_mail_to_somebody_who_is_not_gone(club: Club) -> None:
    unsent(club, "booking-cancelled", "dropped")


@spoiling("I4", "old news")
def a_confirmation_that_left_long_after_the_cancellation(club: Club) -> None:
    booking = club.row("booking", "bookings", user_id=name("Ben"))
    mail = club.row("notifications", "emails", booking_id=booking["id"], kind="booking-confirmed")
    mail["sent_at"] = mail["created_at"] + timedelta(minutes=5)
    out = next(one for one in club.mails if one["idempotency_key"] == mail["id"])
    out["created_at"] = mail["sent_at"].isoformat()


@spoiling("I5", "double charge")
def two_payments_for_one_booking(club: Club) -> None:
    club.charge(anas(club))


@spoiling("I5", "payment that was never made")
def an_order_that_the_provider_does_not_know(club: Club) -> None:
    club.ledger.pop(0)


@spoiling("I5", "payment for no booking")
def a_payment_for_a_booking_that_is_not_there(club: Club) -> None:
    club.tables["booking"]["bookings"].remove(anas(club))


@spoiling("I5", "wrong amount accepted")
def another_amount_was_accepted(club: Club) -> None:
    club.ledger[0]["amount"] = 100


@spoiling("I5", "confirmed without payment")
def a_confirmation_without_any_money(club: Club) -> None:
    booking = club.hold("Gus", slot=6)
    booking["status"], booking["hold_expires_at"] = "confirmed", None
    club.tell_of(booking, "booking.confirmed.v1")


@spoiling("I6", "refund above the payment")
def more_went_back_than_was_paid(club: Club) -> None:
    order = club.row("payments", "refunds", origin="booking")
    club.enter("refund", order["polar_order_id"], order["booking_id"], 1, name("one more"))


@spoiling("I6", "other sum than the booking's")
def a_booking_that_stands_on_half_of_its_price(club: Club) -> None:
    booking = anas(club)
    club.enter("refund", booking["order_id"], booking["id"], PRICE // 2, name("half"))


@spoiling("I6", "payment kept for no booking")
def money_for_a_booking_that_is_called_off(club: Club) -> None:
    club.ledger[:] = [entry for entry in club.ledger if entry["kind"] != "refund"]


@spoiling("I6", "payment kept for no booking")
def money_that_we_gave_up_to_give_back(club: Club) -> None:
    money_for_a_booking_that_is_called_off(club)
    club.row("payments", "refunds", origin="booking").update(state="failed", failure="not now", refunded_minor=None)


@spoiling("I6", "payment that nobody took up")
def a_payment_that_we_never_heard_of(club: Club) -> None:
    order = anas(club)["order_id"]
    club.tables["payments"]["orders"].remove(club.row("payments", "orders", polar_order_id=order))


@spoiling("I6", "right payment left to a person")
def the_right_price_that_is_doubted(club: Club) -> None:
    booking = club.hold("Gus", slot=6)
    club.enter("charge", "right", booking["id"], PRICE)
    doubt = {"polar_order_id": "right", "reason": "other-amount", "booking_id": booking["id"], "settled_at": None}
    club.tables["payments"]["quarantined_orders"].append(doubt)


@spoiling("I6", "paid in time and turned away")
def money_that_came_in_time_and_goes_back(club: Club) -> None:
    booking = club.hold("Gus", slot=6)
    club.give_back(booking, club.charge(booking))


@spoiling("I6", "refund that the books do not have")
def a_refund_that_we_never_heard_of(club: Club) -> None:
    club.row("payments", "refunds", origin="booking")["polar_refund_id"] = name("another")


@spoiling("I6", "refund that was never made")
def a_refund_by_our_word_alone(club: Club) -> None:
    club.ledger[:] = [entry for entry in club.ledger if entry["kind"] != "refund"]


@spoiling("I6", "refunded twice")
def a_refund_that_the_provider_made_twice(club: Club) -> None:
    club.ask_polar_for(club.row("payments", "refunds", origin="booking"), name("the second"))
