"""The defects, on one screen: what is wrong, in which service, and in which scene it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

VARIABLE = "COURTSIDE_MUTANT"

ALL = ("booking", "payments", "notifications")


@dataclass(frozen=True)
class Mutant:
    """`breaks` is the invariant that must be among those that are found broken. `scene` is the shortest play in which the defect can show;
    the product without it must be clean in the same one.

    `by_service` names the function of `defects/` that breaks it. By name, so that a process imports none but its own.
    """

    name: str
    breaks: str
    defect: str
    by_service: Mapping[str, str]
    scene: str = "a day at the club"

    def spoil(self, service: str) -> None:
        """In the process that calls, before the service's program begins."""
        if service in self.by_service:
            module, _, name = self.by_service[service].partition(".")
            getattr(import_module(f"tests.faults.mutants.defects.{module}"), name)()


def _in_all(defect: str) -> Mapping[str, str]:
    return dict.fromkeys(ALL, defect)


def _in_booking(defect: str) -> Mapping[str, str]:
    return {"booking": defect}


def _in_payments(defect: str) -> Mapping[str, str]:
    return {"payments": defect}


def _in_notifications(defect: str) -> Mapping[str, str]:
    return {"notifications": defect}


_LIST = (
    Mutant(
        "overlap-allowed",
        "I1",
        "The constraint that keeps two bookings apart is gone",
        _in_booking("booking.allow_overlaps"),
    ),
    Mutant(
        "third-active-booking",
        "I1",
        "A player gets one seat more than the club allows",
        _in_booking("booking.give_a_third_seat"),
    ),
    Mutant(
        "answer-before-the-commit",
        "I2",
        "A hold is answered and never written",
        _in_booking("booking.answer_without_writing"),
    ),
    Mutant(
        "drop-an-outbox-row",
        "I3",
        "The relay deletes one row in seven without sending it",
        _in_all("chassis.drop_outbox_rows"),
    ),
    Mutant(
        "double-a-mail",
        "I4",
        "One mail in three is sent again under another key",
        _in_notifications("notifications.double_mails"),
    ),
    Mutant(
        "give-mails-up",
        "I4",
        "One mail in three is not sent, and said to be refused",
        _in_notifications("notifications.give_mails_up"),
    ),
    Mutant(
        "confirm-without-pay",
        "I5",
        "A booking is confirmed as soon as its payment page is open",
        _in_booking("booking.confirm_unpaid"),
    ),
    Mutant(
        "wrong-amount-accepted",
        "I5",
        "Any amount pays for any booking",
        {"payments": "payments.accept_any_amount", "booking": "booking.accept_any_amount"},
    ),
    Mutant(
        "forget-the-late-refund", "I6", "Money that came too late is kept", _in_payments("payments.forget_late_refunds")
    ),
    Mutant(
        "refund-everything",
        "I6",
        "Every payment is owed back, as if it had come too late",
        _in_booking("booking.turn_all_payments_away"),
    ),
    Mutant("quarantine-everything", "I6", "No payment is the right one", _in_payments("payments.doubt_every_payment")),
    Mutant(
        "refund-twice",
        "I6",
        "The provider is asked for each refund twice",
        _in_payments("payments.ask_twice_for_refunds"),
    ),
    Mutant(
        "give-refunds-up",
        "I6",
        "No refund is asked for, and each is said to be refused",
        _in_payments("payments.give_refunds_up"),
    ),
    Mutant(
        "cancel-inside-24-h",
        "I7",
        "A player may cancel until the game begins",
        _in_booking("booking.cancel_at_any_time"),
    ),
    Mutant(
        "stale-projection",
        "I7",
        "Notifications keeps the first version of a booking",
        _in_notifications("notifications.keep_the_first"),
    ),
    Mutant(
        "skip-an-inbox-insert",
        "I10",
        "One event in five is handled without a mark",
        _in_all("chassis.skip_inbox_inserts"),
    ),
    Mutant(
        "dead-letter-dropped",
        "I8",
        "What cannot be handled is passed over silently",
        _in_all("chassis.drop_dead_letters"),
    ),
    Mutant("an-idempotency-key-forgotten", "I9", "A repeated request is a new one", _in_booking("booking.forget_keys")),
    Mutant(
        "commit-the-offset-first",
        "I8",
        "The offset is committed before the batch is handled, and the process dies in between",
        _in_payments("chassis.commit_first"),
        "a death in the middle",
    ),
    Mutant(
        "swap-versions",
        "I11",
        "The relay sends a booking's second event before its first",
        _in_booking("chassis.swap_versions"),
    ),
    Mutant(
        "500-in-place-of-409",
        "I12",
        "A taken slot is answered as an error of ours",
        _in_booking("booking.fail_on_taken_slots"),
    ),
    Mutant(
        "mail-left-in-the-queue",
        "I13",
        "A mail's record is claimed, and the mail not sent",
        _in_notifications("notifications.send_none"),
    ),
    Mutant(
        "a-hold-that-never-expires", "I14", "A hold that is over keeps its court", _in_booking("booking.let_holds_live")
    ),
    Mutant(
        "retry-before-due",
        "I14",
        "Retry topics are read without waiting",
        _in_notifications("chassis.retry_at_once"),
        "mails held up",
    ),
    Mutant(
        "mail-after-cancel",
        "I4",
        "Mails that later news has overtaken are sent all the same",
        _in_notifications("notifications.send_old_news"),
        "mails held up",
    ),
    Mutant(
        "other-users-booking-readable",
        "I15",
        "Whoever knows its id may read a booking",
        _in_booking("booking.show_to_everyone"),
    ),
    Mutant(
        "forged-webhook-accepted",
        "I15",
        "The provider's signature is not looked at",
        _in_payments("payments.believe_every_webhook"),
    ),
    Mutant("another-price", "I16", "A hold costs a euro more than the list says", _in_booking("booking.overcharge")),
    Mutant(
        "pii-in-an-event",
        "I17",
        "The player's address is in the booking's events",
        _in_booking("booking.tell_addresses"),
    ),
)

MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for mutant in _LIST}
