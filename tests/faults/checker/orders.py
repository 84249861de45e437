"""The provider's book by order: what was charged, and what the club still has of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.faults.checker.facts import Facts, Row

SIGNS: Mapping[str, int] = {"charge": 1, "refund": -1, "reversal": 1}


@dataclass(frozen=True)
class Order:
    """Minor units of `currency` (ISO 4217, upper case)."""

    id: str
    booking_id: str
    entries: Sequence[Row] = field(default_factory=list)

    @property
    def charged_minor(self) -> int:
        return sum(entry["amount"] for entry in self.entries if entry["kind"] == "charge")

    @property
    def balance_minor(self) -> int:
        return sum(SIGNS[entry["kind"]] * entry["amount"] for entry in self.entries)

    @property
    def currency(self) -> str:
        return str(self.entries[0]["currency"]).upper()

    def balance_at(self, instant: datetime) -> int:
        until = [entry for entry in self.entries if datetime.fromisoformat(entry["at"]) <= instant]
        return Order(self.id, self.booking_id, until).balance_minor


def orders(facts: Facts) -> dict[str, Order]:
    by_order: dict[str, list[Row]] = defaultdict(list)
    for entry in facts.polar.ledger:
        by_order[entry["order_id"]].append(entry)
    return {key: Order(key, str(found[0]["metadata"].get("booking_id", "")), found) for key, found in by_order.items()}


def left_to_a_person(facts: Facts) -> set[str]:
    """Orders that staff are told of: money that fits nothing, and money that the provider would not give back."""
    doubted = {row["polar_order_id"] for row in facts.table("payments", "quarantined_orders") if not row["settled_at"]}
    failed = {
        row["polar_order_id"]
        for row in facts.table("payments", "refunds")
        if row["state"] == "failed" and row["failure"]
    }
    return doubted | failed
