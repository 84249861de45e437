"""I5 and I6, and what payments believes: judged by Polar's own ledger, to the cent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.simulation.facts import Facts


def one_charge_each(facts: Facts) -> Iterator[str]:
    """I5: at most one charge of a booking is not given back, and each was of the frozen price."""
    prices = {str(row["id"]): row["price_minor"] for row in facts.rows["booking.bookings"]}
    kept = defaultdict[str, list[str]](list)
    for order_id, charge in facts.charges.items():
        booking_id = charge["metadata"]["booking_id"]
        if charge["amount"] != prices[booking_id]:
            yield f"booking {booking_id} of {prices[booking_id]} was charged {charge['amount']}"
        if facts.given_back[order_id] < charge["amount"] and order_id not in _owed_by_hand(facts):
            kept[booking_id].append(order_id)
    for booking_id, orders in kept.items():
        if len(orders) > 1:
            yield f"booking {booking_id} is paid {len(orders)} times"


def money_closes(facts: Facts) -> Iterator[str]:
    """I6: who has a booking has paid for it, and who has none has all of their money, unless Polar would not give it back."""
    by_hand = _owed_by_hand(facts)
    unasked = {
        one["order_id"]
        for one in facts.refunds_at_polar
        if "refund_request_id" not in one["metadata"] and one["status"] == "succeeded"
    }
    standing = {
        row["order_id"]: row for row in facts.rows["booking.bookings"] if row["status"] in ("confirmed", "completed")
    }
    for order_id, charge in facts.charges.items():
        left = charge["amount"] - facts.given_back[order_id]
        row = standing.pop(order_id, None)
        if (
            row is not None
            and left != row["price_minor"]
            and not (row["status"] == "completed" and order_id in unasked)
        ):
            yield f"booking {row['id']} is {row['status']} on order {order_id}, of which {left} is left"
        if row is None and left != 0 and order_id not in by_hand:
            yield f"order {order_id} of booking {charge['metadata']['booking_id']} stands for nothing, and {left} is kept"
    for order_id, row in standing.items():
        yield f"booking {row['id']} is {row['status']}, and nobody paid: {order_id}"


def payments_know_what_polar_knows(facts: Facts) -> Iterator[str]:
    """I7 of money: orders are recorded, refunds are as they are, and nothing is under way for ever."""
    recorded = {row["polar_order_id"] for row in facts.rows["payments.orders"]}
    doubted = {row["polar_order_id"] for row in facts.rows["payments.quarantined"]}
    for order_id in facts.charges.keys() - recorded - doubted:
        yield f"payments never heard of order {order_id}"
    at_polar = {one["id"]: one["status"] for one in facts.refunds_at_polar}
    for row in facts.rows["payments.refunds"]:
        there = at_polar.get(row["polar_refund_id"], row["state"] if row["refunded_minor"] == 0 else "nowhere")
        if row["state"] not in ("succeeded", "failed") or row["state"] != there:
            yield f"refund {row['id']} is {row['state']} here and {there} at Polar"
    yield from _refunds_that_nobody_told_of(facts)
    for row in facts.rows["payments.attempts"]:
        if row["state"] == "creating":
            yield f"attempt {row['id']} waits for its page"
    for row in facts.rows["payments.quarantined"]:
        if row["settled_at"] is None and row["polar_order_id"] not in _owed_by_hand(facts):
            yield f"order {row['polar_order_id']} is left to a person: {row['reason']}"


def _refunds_that_nobody_told_of(facts: Facts) -> Iterator[str]:
    told = {one.body["refund_id"] for one in facts.about("payment.events") if one.type == "payment.refunded.v1"}
    known = {row["polar_refund_id"]: str(row["id"]) for row in facts.rows["payments.refunds"]}
    for refund in facts.refunds_at_polar:
        if refund["status"] == "succeeded" and known.get(refund["id"]) not in told:
            yield f"refund {refund['id']} of order {refund['order_id']} succeeded, and nobody told of it"


def _owed_by_hand(facts: Facts) -> set[Any]:
    """Orders of which Polar refused to give something back in the end, and of which that was told."""
    told = {one.body["order_id"] for one in facts.about("payment.events") if one.type == "payment.refund_failed.v1"}
    return {one["order_id"] for one in facts.refunds_at_polar if one["status"] == "failed"} & told
