"""I6: to the cent. Each order that was paid pays for a booking that stands, or has gone back whole, or waits for a person who was told.
Nothing goes back that was not paid, and nothing twice. And a product that gave everything back, or left everything to a person, would keep
no promise: the right price is never doubted, and paid in time it buys the court.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tests.faults.checker.claims import Claim, blocks, claims
from tests.faults.checker.facts import Facts, Row, parsed
from tests.faults.checker.orders import Order
from tests.faults.checker.verdict import Finding, Violation, violation

STANDING = ("confirmed", "completed")
ENDED_OTHERWISE = {"booking.confirmed.v1", "booking.cancelled.v1"}


def examine(facts: Facts) -> Finding:
    found, refunds = facts.orders, _by_order(facts.table("payments", "refunds"))
    return Finding.of(
        len(found),
        [
            *(each for order in found.values() for each in _of_order(facts, order, refunds[order.id])),
            *_unknown_orders(facts, found),
            *_refunds_in_the_books(facts),
            *_asked_twice(facts),
            *_doubted(facts, found),
            *_turned_away(facts, found),
        ],
    )


def _of_order(facts: Facts, order: Order, refunds: Sequence[Row]) -> Iterator[Violation]:
    where = {"order_id": order.id, "booking_id": order.booking_id, "balance_minor": order.balance_minor}
    booking = facts.bookings.get(order.booking_id)
    if order.balance_minor < 0:
        yield violation("refund above the payment", **where)
    elif booking and booking["status"] in STANDING and booking["order_id"] == order.id:
        owed = booking["price_minor"] - _given_minor(refunds)
        if order.balance_minor != owed:
            yield violation("other sum than the booking's", owed_minor=owed, **where)
    elif order.balance_minor and not _is_seen_to(facts, order, refunds):
        yield violation("payment kept for no booking", status=booking and booking["status"], **where)


def _by_order(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["polar_order_id"]].append(row)
    return found


def _given_minor(refunds: Sequence[Row]) -> int:
    """By staff, or by the provider on its own: the booking stands all the same, as long as some of its price is there."""
    given = (row for row in refunds if row["state"] == "succeeded" and row["origin"] != "booking")
    return sum(row["refunded_minor"] or 0 for row in given)


def _is_seen_to(facts: Facts, order: Order, refunds: Sequence[Row]) -> bool:
    """A person was told, or the provider itself still has the refund under way."""
    if order.id in facts.left_to_a_person:
        return True
    pending = sum(row["state"] == "pending" for row in facts.table("payments", "refunds"))
    return any(row["state"] == "pending" for row in refunds) and facts.polar.pending_refunds >= pending


def _unknown_orders(facts: Facts, found: Mapping[str, Order]) -> Iterator[Violation]:
    """Webhooks may be lost: the comparison with the provider's lists finds each payment in time."""
    taken_up = {row["polar_order_id"] for row in facts.table("payments", "orders")}
    taken_up |= {row["polar_order_id"] for row in facts.table("payments", "quarantined_orders")}
    for order in found.values():
        if order.id not in taken_up:
            yield violation("payment that nobody took up", order_id=order.id, booking_id=order.booking_id)


def _refunds_in_the_books(facts: Facts) -> Iterator[Violation]:
    rows = {row["polar_refund_id"]: row for row in facts.table("payments", "refunds") if row["polar_refund_id"]}
    reversed_ = {entry["refund_id"] for entry in facts.polar.ledger if entry["kind"] == "reversal"}
    made = {e["refund_id"]: e for e in facts.polar.ledger if e["kind"] == "refund" and e["refund_id"] not in reversed_}
    recorded = {row["polar_order_id"] for row in facts.table("payments", "orders")}
    for refund_id, entry in made.items():
        row = rows.get(refund_id)
        if entry["order_id"] in recorded and (row is None or row["refunded_minor"] != entry["amount"]):
            yield violation("refund that the books do not have", refund_id=refund_id, amount_minor=entry["amount"])
    for refund_id, row in rows.items():
        if row["state"] == "succeeded" and row["refunded_minor"] and refund_id not in made:
            yield violation("refund that was never made", refund_id=refund_id, order_id=row["polar_order_id"])


def _asked_twice(facts: Facts) -> Iterator[Violation]:
    """Of one refund of ours the provider made two: it knows no idempotency key, so nobody else would see it."""
    made: dict[str, set[str]] = defaultdict(set)
    for request in facts.polar.requests:
        if request["method"] == "POST" and request["path"].rstrip("/") == "/v1/refunds" and request["status"] == 201:
            asked = parsed(request["body"]).get("metadata", {}).get("refund_request_id")
            made[str(asked)].add(str(parsed(request["answer"]).get("id")))
    for asked, ids in made.items():
        if asked != "None" and len(ids) > 1:
            yield violation("refunded twice", refund_id=asked, at_the_provider=sorted(ids))


def _doubted(facts: Facts, found: Mapping[str, Order]) -> Iterator[Violation]:
    for row in facts.table("payments", "quarantined_orders"):
        order = found.get(row["polar_order_id"])
        if order and not row["settled_at"] and order.balance_minor > 0 and _is_the_price(facts, order):
            yield violation("right payment left to a person", order_id=order.id, booking_id=order.booking_id)


def _turned_away(facts: Facts, found: Mapping[str, Order]) -> Iterator[Violation]:
    """Given back whole, though it was paid in time, nobody called the booking off, and nobody and nothing else was in its way."""
    ours, others = claims(facts.events), blocks(facts.on("court.events"))
    first: dict[str, Claim] = {}
    by_court: dict[str, list[Claim]] = defaultdict(list)
    by_user: dict[str, list[Claim]] = defaultdict(list)
    for claim in (*ours, *others):
        first.setdefault(claim.booking_id, claim)
        by_court[claim.court_id].append(claim)
        by_user[claim.user_id].append(claim)
    for order in found.values():
        hold = first.get(order.booking_id)
        told = {record.type for record in facts.events.get(order.booking_id, {}).values()}
        if hold is None or order.balance_minor or told & ENDED_OTHERWISE or not _is_the_price(facts, order):
            continue
        paid_at = datetime.fromisoformat(order.entries[0]["at"])
        seats = {one.booking_id for one in by_user[hold.user_id] if one.until > hold.since} - {hold.booking_id}
        in_the_way = any(
            one.booking_id != hold.booking_id
            and one.until > hold.since
            and one.meets(hold.court_id, hold.starts_at, hold.ends_at)
            for one in by_court[hold.court_id]
        )
        in_time = hold.hold_ends_at is not None and paid_at < hold.hold_ends_at
        if in_time and not in_the_way and len(seats) < facts.run.rules.max_active_bookings:
            yield violation("paid in time and turned away", order_id=order.id, booking_id=order.booking_id)


def _is_the_price(facts: Facts, order: Order) -> bool:
    booking = facts.bookings.get(order.booking_id)
    return booking is not None and (order.charged_minor, order.currency) == (
        booking["price_minor"],
        booking["currency"],
    )
