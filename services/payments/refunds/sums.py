"""What the refunds of one order come to, in minor units. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.payments.refunds.tables import Refund


@dataclass(frozen=True, slots=True)
class OpenDebt:
    """Money of one order that somebody counts on, and that is not on its way. `refund_id` is the last refund that failed."""

    refund_id: UUID
    owed_minor: int
    failure: str


def promised_minor(refunds: Sequence[Refund]) -> int:
    """What has gone back or is on its way."""
    return sum(_gives_minor(one) for one in refunds if one.state != "failed")


def vouched_minor(refunds: Sequence[Refund]) -> int:
    """What has gone back, or is on its way by our own doing.

    Polar's own refund may still fail, and nobody but Polar would try it again: until it has succeeded, no debt is settled by it.
    """
    return promised_minor([one for one in refunds if one.origin != "polar" or one.state == "succeeded"])


def refunded_minor(refunds: Sequence[Refund]) -> int:
    return sum(one.refunded_minor or 0 for one in refunds if one.state == "succeeded")


def open_debt(refunds: Sequence[Refund]) -> OpenDebt | None:
    """Of one order with all its refunds: what failed and was not made up for, and never more than is left of the payment."""
    failed = [one for one in refunds if is_missed(one)]
    if not failed:
        return None
    last = max(failed, key=lambda one: one.changed_at)
    owed_minor = min(last.paid_minor - vouched_minor(refunds), _missed_minor(refunds))
    return OpenDebt(last.id, owed_minor, last.failure or "") if owed_minor > 0 else None


def is_missed(refund: Refund) -> bool:
    """It failed, and somebody counts on its money."""
    return refund.state == "failed" and refund.failure is not None


def _missed_minor(refunds: Sequence[Refund]) -> int:
    """What failed, less what staff gave after they could know of it. A part that they gave for another reason makes up for nothing."""
    steps: list[tuple[datetime, int]] = [(one.changed_at, one.amount_minor) for one in refunds if is_missed(one)]
    given = (one for one in refunds if one.origin == "staff" and one.state != "failed")
    steps += [(one.requested_at, -_gives_minor(one)) for one in given]
    missed = 0
    for _, change in sorted(steps):
        missed = max(0, missed + change)
    return missed


def _gives_minor(refund: Refund) -> int:
    return refund.amount_minor if refund.refunded_minor is None else refund.refunded_minor
