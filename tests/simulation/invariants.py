"""What must hold after every run, whatever happened in it: the invariants of the reliability page that one process can break.

Each is a generator of sentences: one for each breach. They are written from what was promised, not from how it is done.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.simulation.facts import Facts, Said
from tests.simulation.invariants_of_delivery import nothing_is_lost, nothing_vanishes
from tests.simulation.invariants_of_mails import one_mail_for_each_news
from tests.simulation.invariants_of_money import money_closes, one_charge_each, payments_know_what_polar_knows

LIVE = ("held", "confirmed")
MAX_ACTIVE = 2
KEYLESS = ("unblock", "erase")
"""Requests that need no key: to do it again changes nothing."""


def no_court_twice(facts: Facts) -> Iterator[str]:
    """I1, of the end: no two claims on one court overlap, and live bookings are just those that hold their time."""
    claims = sorted(facts.rows["booking.occupancy"], key=lambda row: (row["court_id"], row["since"]))
    for one, other in pairwise(claims):
        if one["court_id"] == other["court_id"] and other["since"] < one["until"]:
            yield f"court {one['court_id']} is claimed twice at {other['since']}"
    held = {row["booking_id"]: (row["court_id"], row["since"], row["until"]) for row in claims if row["booking_id"]}
    live = {
        row["id"]: (row["court_id"], row["starts_at"], row["ends_at"])
        for row in facts.rows["booking.bookings"]
        if row["status"] in LIVE
    }
    if held != live:
        yield f"live bookings {sorted(map(str, live.items()))} hold {sorted(map(str, held.items()))}"


def no_court_twice_at_any_time(facts: Facts) -> Iterator[str]:
    """I1, of all the time between: as the topic tells it, no live bookings overlapped, and nobody had more than the club allows."""
    live: dict[str, Any] = {}
    for said in facts.about("booking.events"):
        live.pop(said.key, None)
        if said.body["status"] in LIVE:
            for other in live.values():
                if _overlap(other, said.body):
                    yield f"bookings {said.key} and {other['booking_id']} had one court"
            live[said.key] = said.body
        active = Counter(one["user_id"] for one in live.values())
        if active[said.body["user_id"]] > MAX_ACTIVE:
            yield f"user {said.body['user_id']} had {active[said.body['user_id']]} bookings at {said.type} of {said.key}"


def answers_are_true(facts: Facts) -> Iterator[str]:
    """I2: what was answered with yes has happened as answered; no booking is there that nobody was, or might have been, given."""
    made = {row["id"]: row for row in facts.rows["booking.bookings"]}
    told = defaultdict[str, list[Said]](list)
    for said in facts.about("booking.events"):
        told[said.key].append(said)
    given: set[str] = set()
    unsure = Counter[tuple[str, ...]]()
    for call in facts.calls:
        if call.op == "hold" and call.outcome == "ok":
            given.add(call.document["id"])
            first = told[call.document["id"]][:1]
            if not first or not _as_answered(call.document, first[0].body):
                yield f"call {call.number}: the answer and the booking differ"
        elif call.op == "hold" and call.outcome == "info":
            unsure[str(call.user_id), str(call.arguments["court_id"]), _utc(call.arguments["starts_at"])] += 1
        elif call.outcome == "ok" and call.op in ("cancel", "move"):
            wanted = "booking.cancelled.v1" if call.op == "cancel" else "booking.rescheduled.v1"
            events = [one for one in told[str(call.arguments["booking_id"])] if one.type == wanted]
            if not any(_as_answered(call.document, one.body) for one in events):
                yield f"call {call.number}: {call.op} was answered with yes, and nothing tells of it"
    for booking_id, row in made.items():
        if str(booking_id) not in given and not unsure[_place(told[str(booking_id)][0].body)]:
            yield f"booking {booking_id} of {row['user_id']} was given to nobody"


def one_key_one_effect(facts: Facts) -> Iterator[str]:
    """I9: requests under one key have one effect, and all that were answered got one answer: whoever got it once gets it again."""
    answers = defaultdict[str, set[bytes]](set)
    for call in facts.calls:
        if call.op in KEYLESS:
            continue
        if call.answered_before and call.outcome == "fail" and str(call.user_id) not in facts.erased:
            yield f"{call.key} was answered with yes, and then with {call.status} {call.answer.decode()}"
        if call.outcome == "ok":
            answers[call.key].add(call.answer)
    for key, given in answers.items():
        if len(given) > 1:
            yield f"{key} was answered in {len(given)} ways"


def all_tell_the_same(facts: Facts) -> Iterator[str]:
    """I7: rows are what the last events say, in the service that made them and in those that copied them."""
    last: dict[str, Any] = {}
    for said in facts.about("booking.events"):
        if said.key not in last or last[said.key]["version"] < said.body["version"]:
            last[said.key] = said.body
    for row in facts.rows["booking.bookings"]:
        if not (event := last.get(str(row["id"]))) or not _same_booking(row, event):
            yield f"booking {row['id']} is not what its last event says"
    copies = {str(row["booking_id"]): row for row in facts.rows["notifications.bookings"]}
    for key, event in last.items():
        copy = copies.get(key)
        if copy is None or (copy["version"], copy["status"]) != (event["version"], event["status"]):
            yield f"notifications takes booking {key} for {copy and copy['status']}, and it is {event['status']}"
    users = {(row["id"], row["email"] and row["version"], row["email"]) for row in facts.rows["booking.users"]}
    """Of who was erased, that they were."""
    for service in ("payments", "notifications"):
        profiles = facts.rows[f"{service}.profiles"]
        known = {(row["user_id"], row["email"] and row["version"], row["email"]) for row in profiles}
        if known != users:
            yield f"{service} knows other users: {known ^ users}"


INVARIANTS: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "I1": no_court_twice,
    "I1 at any time": no_court_twice_at_any_time,
    "I2": answers_are_true,
    "I3": nothing_is_lost,
    "I4": one_mail_for_each_news,
    "I5": one_charge_each,
    "I6": money_closes,
    "I7": all_tell_the_same,
    "I7 of money": payments_know_what_polar_knows,
    "I8": nothing_vanishes,
    "I9": one_key_one_effect,
}


def breaches(facts: Facts) -> list[str]:
    return [f"{name}: {breach}" for name, invariant in INVARIANTS.items() for breach in invariant(facts)]


def _overlap(one: Any, other: Any) -> bool:
    same = one["court_id"] == other["court_id"] and one["booking_id"] != other["booking_id"]
    return bool(same and one["starts_at"] < other["ends_at"] and other["starts_at"] < one["ends_at"])


def _as_answered(answer: Any, event: Any) -> bool:
    names = ("court_id", "user_id", "status", "version")
    same = all(answer[name] == event[name] for name in names)
    price = {"amount": event["price_minor"], "currency": event["currency"]}
    return same and answer["price"] == price and _utc(answer["starts_at"]) == _utc(event["starts_at"])


def _place(event: Any) -> tuple[str, str, str]:
    return event["user_id"], event["court_id"], _utc(event["starts_at"])


def _same_booking(row: Any, event: Any) -> bool:
    same = all(row[name] == event[name] for name in ("version", "status", "price_minor"))
    owed = [(due["order_id"], due["amount_minor"]) for due in event["refunds_due"]]
    return (
        same
        and str(row["court_id"]) == event["court_id"]
        and _utc(row["starts_at"]) == _utc(event["starts_at"])
        and ([(due["order_id"], due["amount_minor"]) for due in json.loads(row["refunds_due"])] == owed)
    )


def _utc(instant: datetime | str) -> str:
    at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return str(at.timestamp())
