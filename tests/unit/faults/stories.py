"""Facts made by hand: what the sources of a run would say after a few bookings in which everything went well."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from tests.unit.faults.sources import COURT, FIRST_SLOT, NOW, PRICE, SLOT, VENUE, Rows, Sources, name

__all__ = ["COURT", "FIRST_SLOT", "NOW", "PRICE", "SLOT", "VENUE", "Club", "name"]


@dataclass
class Club(Sources):
    """Each method is something that happens, told in every source at once. Then a test takes one of them back, or bends it."""

    def hold(self, player: str, slot: int = 0) -> Rows:
        user_id = self._know(player)
        booking_id, starts_at = name(f"booking {next(self.numbers)}"), FIRST_SLOT + slot * SLOT
        row: Rows = {
            "id": booking_id,
            "court_id": COURT,
            "venue_id": VENUE,
            "user_id": user_id,
            "starts_at": starts_at,
            "ends_at": starts_at + SLOT,
            "status": "held",
            "seat": 1,
            "price_minor": PRICE,
            "currency": "EUR",
            "cancellation_window_hours": 24,
            "hold_expires_at": self.now + timedelta(minutes=15),
            "order_id": None,
            "refunds_due": [],
            "version": 0,
        }
        self.tables["booking"]["bookings"].append(row)
        self._occupy(row)
        self.tell_of(row, "booking.held.v1")
        self._open_page(row)
        self._answered(
            "hold", row, user_id, {"court_id": COURT, "starts_at": starts_at.isoformat()}, key=f"hold {booking_id}"
        )
        return row

    def pay(self, row: Rows) -> str:
        order_id = self.charge(row)
        attempt = self._attempt(row)
        attempt["state"], row["order_id"] = "paid", order_id
        row["status"], row["hold_expires_at"] = "confirmed", None
        self.tell_of(row, "booking.confirmed.v1")
        return order_id

    def charge(self, row: Rows, amount: int = PRICE) -> str:
        """The provider has the money, and payments has taken it up."""
        order_id = name(f"order {next(self.numbers)}")
        self.enter("charge", order_id, row["id"], amount)
        self.webhook("order.paid")
        order = {"polar_order_id": order_id, "attempt_id": self._attempt(row)["id"], "booking_id": row["id"]}
        taken = {"amount_minor": amount, "currency": "EUR", "recorded_at": self.now}
        self.tables["payments"]["orders"].append(order | taken)
        self.tell_of_money(row, "payment.succeeded.v1", order_id=order_id, amount_minor=amount, currency="EUR")
        return order_id

    def cancel(self, row: Rows, by: str = "player") -> None:
        due = (
            [{"order_id": row["order_id"], "amount_minor": PRICE, "reason": f"cancelled_by_{by}"}]
            if row["order_id"]
            else []
        )
        row["status"], row["hold_expires_at"], row["refunds_due"] = "cancelled", None, due
        self._vacate(row)
        self.tell_of(row, "booking.cancelled.v1", cancelled_by=by)
        self._answered("cancel", row, row["user_id"], {"booking_id": row["id"]}, key=f"cancel {row['id']}")
        for each in due:
            self.give_back(row, each["order_id"])

    def expire(self, row: Rows) -> None:
        self.now = max(self.now, row["hold_expires_at"] + timedelta(seconds=1))
        row["status"] = "expired"
        self._vacate(row)
        self.tell_of(row, "booking.expired.v1")

    def move(self, row: Rows, slot: int) -> None:
        self._vacate(row)
        row["starts_at"] = FIRST_SLOT + slot * SLOT
        row["ends_at"] = row["starts_at"] + SLOT
        self._occupy(row)
        self.tell_of(row, "booking.rescheduled.v1")
        self._answered("reschedule", row, row["user_id"], {"booking_id": row["id"]}, key=f"move {row['id']}")

    def give_back(self, row: Rows, order_id: str, amount: int = PRICE, origin: str = "booking") -> Rows:
        refund_id, at_polar = name(f"refund {next(self.numbers)}"), name(f"refund at polar {next(self.numbers)}")
        refund = {
            "id": refund_id,
            "polar_order_id": order_id,
            "booking_id": row["id"],
            "origin": origin,
            "reason": "cancelled",
        }
        refund |= {
            "amount_minor": amount,
            "refunded_minor": amount,
            "currency": "EUR",
            "state": "succeeded",
            "failure": None,
        }
        refund["polar_refund_id"] = at_polar
        self.tables["payments"]["refunds"].append(refund)
        self.tell_of_money(row, "payment.refund_requested.v1", refund_id=refund_id, order_id=order_id)
        self.enter("refund", order_id, row["id"], amount, at_polar)
        self.ask_polar_for(refund, at_polar)
        self.tell_of_money(row, "payment.refunded.v1", refund_id=refund_id, order_id=order_id)
        self.mail("refund-done", row, 0, refund_id)
        return refund

    def _know(self, player: str) -> str:
        user_id = name(player)
        if all(user["id"] != user_id for user in self.tables["booking"]["users"]):
            self.tables["booking"]["users"].append({"id": user_id, "role": "player", "version": 1, "erased_at": None})
            profile = {"user_id": user_id, "version": 1, "email": f"{player}@club", "name": player, "locale": "es"}
            self.tell("user.profiles", "user.profile.v1", user_id, profile)
            self.tables["payments"]["profiles"].append(dict(profile))
            self.tables["notifications"]["recipients"].append(dict(profile))
        return user_id

    def _occupy(self, row: Rows) -> None:
        claim = {
            "id": next(self.numbers),
            "court_id": row["court_id"],
            "booking_id": row["id"],
            "blocked_slot_id": None,
        }
        span = {"starts_at": row["starts_at"], "ends_at": row["ends_at"]}
        self.tables["booking"]["court_occupancy"].append(claim | span)

    def _vacate(self, row: Rows) -> None:
        rows = self.tables["booking"]["court_occupancy"]
        rows[:] = [one for one in rows if one["booking_id"] != row["id"]]

    def _open_page(self, row: Rows) -> None:
        attempt = {"id": name(f"attempt {row['id']}"), "booking_id": row["id"], "state": "open", "amount_minor": PRICE}
        attempt |= {"currency": "EUR", "hold_expires_at": row["hold_expires_at"], "checkout_id": f"page {row['id']}"}
        self.tables["payments"]["payment_attempts"].append(attempt)
        self.tell_of_money(row, "payment.checkout_opened.v1")

    def _answered(self, op: str, row: Rows, user: str, arguments: Rows, key: str) -> None:
        same = ("id", "status", "court_id", "user_id", "venue_id", "version")
        instants = ("starts_at", "ends_at", "hold_expires_at")
        answer = {each: row[each] for each in same} | {"price": {"amount": PRICE, "currency": "EUR"}}
        answer |= {each: row[each] and row[each].isoformat() for each in instants}
        self.call(op, answer=answer, user=user, arguments=arguments, key=key)
        kept = {"user_id": user, "key": key, "status": 200, "body": json.dumps(answer).encode(), "created_at": self.now}
        self.tables["booking"]["idempotency_keys"].append(kept)
