from __future__ import annotations

from uuid import UUID

from services.chassis.staff import Rights
from services.chassis.unit_of_work import UnitOfWork
from services.payments.accounts import queries
from services.payments.checkouts.queries import locked
from services.payments.refunds.domain import Debt, NothingToRefund
from services.payments.refunds.mutations import request
from services.payments.refunds.tables import Refund


async def refund(
    work: UnitOfWork, payment_id: UUID, rights: Rights, order_id: str | None, amount_minor: int | None, reason: str
) -> Refund:
    """A person wants money to go back, and says why: it is kept with their id. All that is left, unless an amount is given."""
    await locked(work.session, payment_id)
    account = await queries.one(work.session, payment_id, rights)
    charge, amount_minor = account.to_refund(order_id, amount_minor)
    debt = Debt(
        order_id=charge.order_id,
        attempt_id=payment_id,
        booking_id=account.attempt.booking_id,
        origin="staff",
        reason="by_staff",
        amount_minor=amount_minor,
        paid_minor=charge.amount_minor,
        currency=charge.currency,
        comment=reason,
    )
    requested = await request(work, debt, str(rights.user_id))
    if requested is None:
        raise NothingToRefund("Nothing is left to refund.")
    return requested
