"""The provider's book by order: what was charged, and what the club still has of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]

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


def by_id(ledger: Iterable[Row]) -> dict[str, Order]:
    by_order: dict[str, list[Row]] = defaultdict(list)
    for entry in ledger:
        by_order[entry["order_id"]].append(entry)
    return {key: Order(key, str(found[0]["metadata"].get("booking_id", "")), found) for key, found in by_order.items()}
