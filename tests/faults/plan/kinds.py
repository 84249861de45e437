"""Every kind of fault that a random plan may hold: the row of the catalogue that it plays, whom it may strike, and how hard.

One line for each. How a kind is played stands in `tests/faults/nemesis`, under the same name; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from deploy.local.environment import SERVICES
from tests.faults.stack.parts import (
    CLIENTS,
    FROM_PROVIDERS,
    LINKS,
    PROCESSES,
    TO_KAFKA,
    TO_POSTGRES,
    TO_PROVIDERS,
    WORKERS,
)

Arguments = Callable[[Random], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """`most` bounds how often it comes in five minutes: what puts everything back to the beginning must leave time to get on."""

    name: str
    row: int
    targets: tuple[str, ...]
    arguments: Arguments = lambda _: {}
    weight: int = 2
    most: int = 100


def lasting(shortest_seconds: float, longest_seconds: float, **more: Any) -> Arguments:
    return lambda chance: {"seconds": round(chance.uniform(shortest_seconds, longest_seconds), 2), **more}


def one_of(name: str, *values: Any) -> Arguments:
    return lambda chance: {name: chance.choice(values)}


def all_of(*arguments: Arguments) -> Arguments:
    return lambda chance: {name: value for each in arguments for name, value in each(chance).items()}


def dying_at(*points: str) -> Arguments:
    return lambda chance: {"point": chance.choice(points), "passes": chance.randint(1, 3)}


API, BOOKING_WORKERS, PAYMENTS_WORKER = ("booking-api",), ("booking-worker-1", "booking-worker-2"), ("payments-worker",)
POSTGRES, KAFKA, POLAR, RESEND = ("postgres",), ("kafka",), ("polar",), ("resend",)
TOPICS = ("booking.events", "payment.events", "notification.events", "user.profiles", "payments.polar-webhooks")
MAIN_TOPICS = ("booking.events", "payment.events", "notification.events")
SHORTLY, A_WHILE = lasting(0.5, 3), lasting(2, 8)

PROCESS_KINDS = (
    Kind("kill", 3, PROCESSES, weight=8),
    Kind("freeze", 4, PROCESSES, lasting(1, 10), weight=4),
    Kind("restart", 5, PROCESSES, weight=4),
    Kind("die_before_the_hold", 1, API, dying_at("hold.asked")),
    Kind("die_after_the_hold", 2, API, dying_at("hold.committed")),
    Kind("die_in_a_change", 2, API, dying_at("transaction.written", "transaction.committed")),
    Kind("relay_dies_after_sending", 6, WORKERS, dying_at("relay.sent")),
    Kind("relay_dies_before_its_commit", 7, WORKERS, dying_at("relay.deleted", "relay.read")),
    Kind("second_relay", 8, SERVICES, lasting(3, 5), most=3),
    Kind("rebalance_storm", 27, SERVICES, one_of("members", 2, 3), weight=1, most=2),
    Kind("die_before_the_offsets", 29, WORKERS, dying_at("batch.handled", "offsets.committed")),
    Kind("die_after_forwarding", 30, WORKERS, dying_at("record.forwarded", "record.failed")),
    Kind("die_around_a_checkout", 43, PAYMENTS_WORKER, dying_at("checkout.made", "checkout.shown")),
    Kind("die_around_a_refund", 44, PAYMENTS_WORKER, dying_at("refund.begun", "refund.made", "refund.recorded")),
    Kind("kill_everything", 60, ("all",), weight=1, most=2),
    Kind("migrate_again", 17, SERVICES, weight=1, most=3),
)
DATABASE_KINDS = (
    Kind("connections_terminated", 9, SERVICES, weight=3),
    Kind("postgres_crash", 10, POSTGRES, weight=3, most=6),
    Kind("postgres_restart", 11, POSTGRES, weight=2, most=4),
    Kind("connections_exhausted", 13, POSTGRES, SHORTLY),
    Kind("idle_in_transaction", 14, SERVICES, lasting(2, 6)),
    Kind("rows_locked", 15, POSTGRES, SHORTLY),
)
BROKER_KINDS = (
    Kind("broker_kill", 20, KAFKA, weight=3, most=6),
    Kind("broker_stop", 21, KAFKA, A_WHILE, weight=1, most=3),
    Kind("broker_freeze", 22, KAFKA, lasting(1, 10)),
)
LINK_KINDS = (
    Kind("answer_of_commit_lost", 12, TO_POSTGRES, one_of("told", "COMMIT", "")),
    Kind("answer_lost", 55, (CLIENTS, *TO_KAFKA, *TO_PROVIDERS, *FROM_PROVIDERS)),
    Kind("link_cut", 55, LINKS, SHORTLY),
    Kind("link_reset", 55, LINKS, weight=3),
    Kind("link_delayed", 55, LINKS, lasting(2, 6, delay_seconds=0.2)),
    Kind("link_throttled", 55, LINKS, lasting(2, 6, bytes_per_second=20_000)),
    Kind("link_deaf_one_way", 55, LINKS, all_of(A_WHILE, one_of("direction", "there", "back"), one_of("forgets", "all", "nothing"))),
    Kind("link_cut_after_bytes", 55, LINKS, all_of(SHORTLY, one_of("bytes", 100, 1_500, 10_000))),
)  # fmt: skip
PROVIDER_KINDS = (
    Kind("provider_fails", 43, POLAR, all_of(A_WHILE, one_of("action", "status", "html_502", "bad_json", "garbage"))),
    Kind("provider_too_busy", 43, POLAR, A_WHILE),
    Kind("provider_silent_when_done", 43, POLAR, one_of("action", "accept_then_reset", "accept_then_timeout", "accept_then_break_off")),
    Kind("provider_slow", 43, POLAR, one_of("action", "delay", "drip")),
    Kind("mailer_fails", 50, RESEND, all_of(A_WHILE, one_of("action", "status", "html_502", "bad_json", "garbage"))),
    Kind("mailer_too_busy", 50, RESEND, A_WHILE),
    Kind("mailer_silent_when_done", 50, RESEND, one_of("action", "accept_then_reset", "accept_then_timeout", "accept_then_break_off")),
    Kind("webhooks_multiplied", 37, POLAR + RESEND, one_of("copies", 2, 10)),
    Kind("webhooks_reordered", 38, POLAR + RESEND, one_of("order", "reversed", "shuffled")),
    Kind("webhooks_delayed", 38, POLAR + RESEND, one_of("delay_s", 2, 8)),
    Kind("webhooks_forged", 39, POLAR + RESEND, one_of("action", "corrupt_signature", "wrong_secret", "truncate")),
    Kind("webhooks_old", 40, POLAR + RESEND, one_of("age_s", 604_800, 400)),
    Kind("webhooks_lost", 41, POLAR + RESEND, A_WHILE),
)  # fmt: skip
RECORD_KINDS = (
    Kind("offsets_reset", 25, SERVICES, weight=1, most=2),
    Kind("records_repeated", 31, TOPICS, one_of("records", 20, 200)),
    Kind("records_shuffled", 32, MAIN_TOPICS, one_of("records", 20, 200)),
    Kind("poison", 33, TOPICS, one_of("sort", "garbage", "null value", "no key", "half a document", "unknown type", "no envelope")),
    Kind("redrive", 35, SERVICES, weight=1),
)  # fmt: skip

KINDS = {
    kind.name: kind
    for kind in (*PROCESS_KINDS, *DATABASE_KINDS, *BROKER_KINDS, *LINK_KINDS, *PROVIDER_KINDS, *RECORD_KINDS)
}
