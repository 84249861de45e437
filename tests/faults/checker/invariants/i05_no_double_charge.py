"""I5: nobody pays twice, nobody pays another price than the one that was frozen, and nothing stands confirmed that was not paid for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.checker.facts import Facts
from tests.faults.checker.orders import Order
from tests.faults.checker.verdict import Finding, Violation, violation


def examine(facts: Facts) -> Finding:
    found = facts.orders
    return Finding.of(
        len(found) + len(facts.events),
        [*_charged_twice(facts, found), *_other_price(facts, found), *_unpaid(facts, found)],
    )


def _charged_twice(facts: Facts, found: dict[str, Order]) -> Iterator[Violation]:
    by_booking: dict[str, list[Order]] = defaultdict(list)
    for order in found.values():
        if order.balance_minor > 0 and order.id not in facts.left_to_a_person:
            by_booking[order.booking_id].append(order)
    for booking_id, theirs in by_booking.items():
        if len(theirs) > 1:
            yield violation("double charge", booking_id=booking_id, orders=[order.id for order in theirs])


def _other_price(facts: Facts, found: dict[str, Order]) -> Iterator[Violation]:
    """Of money that was accepted. What is refused as another price waits for a person, and confirms nothing."""
    for row in facts.table("payments", "orders"):
        booking, order = facts.bookings.get(row["booking_id"]), found.get(row["polar_order_id"])
        if order is None:
            yield violation("payment that was never made", order_id=row["polar_order_id"])
        elif booking is None:
            yield violation("payment for no booking", order_id=order.id, booking_id=row["booking_id"])
        elif (order.charged_minor, order.currency) != (booking["price_minor"], booking["currency"]):
            yield violation(
                "wrong amount accepted",
                booking_id=booking["id"],
                charged=f"{order.charged_minor} {order.currency}",
                price=f"{booking['price_minor']} {booking['currency']}",
            )


def _unpaid(facts: Facts, found: dict[str, Order]) -> Iterator[Violation]:
    paid = {(order.booking_id, order.charged_minor, order.currency) for order in found.values()}
    told = {
        (record.key_text, record.body.get("amount_minor"), record.body.get("currency"))
        for record in facts.on("payment.events")
        if record.type == "payment.succeeded.v1"
    }
    backed = paid & told
    for booking_id, versions in facts.events.items():
        for record in versions.values():
            price = (booking_id, record.body.get("price_minor"), record.body.get("currency"))
            if record.type == "booking.confirmed.v1" and record.body.get("price_minor") and price not in backed:
                yield violation("confirmed without payment", booking_id=booking_id, version=record.version)
