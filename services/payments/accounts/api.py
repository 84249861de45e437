"""HTTP in: what staff ask about payments, and the refunds that they decide on."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.chassis import limits, problems
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, KeyHeader, once
from services.chassis.staff import StaffOnly
from services.chassis.unit_of_work import UnitOfWork
from services.payments.accounts import mutations, queries
from services.payments.accounts import representation as shown
from services.payments.accounts.domain import PaymentNotFound
from services.payments.dependencies import ChassisOf, RightsOf
from services.payments.history.queries import of
from services.payments.refunds.domain import NothingToRefund, RefundExceedsPayment, SayWhichOrder

router = APIRouter(
    prefix="/v1/payments",
    tags=["payments"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, StaffOnly),
)
DECIDED = (PaymentNotFound, NothingToRefund, SayWhichOrder, RefundExceedsPayment, IdempotencyKeyReused)


@router.get("", response_model=shown.PaymentsOut)
async def list_payments(
    booking_id: Annotated[UUID, Query(description="Whose payments")], chassis: ChassisOf, rights: RightsOf
) -> dict[str, Any]:
    """All attempts to be paid for a booking: one, as a rule. None for a booking that cost nothing, or is another venue's."""
    async with chassis.database.sessions() as session:
        return {"items": [shown.payment(one) for one in await queries.of_booking(session, booking_id, rights)]}


@router.get("/{payment_id}", response_model=shown.PaymentDetailOut, responses=problems.responses(PaymentNotFound))
async def read_payment(payment_id: UUID, chassis: ChassisOf, rights: RightsOf) -> dict[str, Any]:
    """One payment with its charges, its refunds and its timeline. The id is the `attempt_id` of the events."""
    async with chassis.database.sessions() as session:
        account = await queries.one(session, payment_id, rights)
        return shown.detail(account, await of(session, payment_id))


@router.post(
    "/{payment_id}/refund", status_code=202, response_model=shown.RefundOut, responses=problems.responses(*DECIDED)
)
async def refund_payment(
    payment_id: UUID, body: shown.RefundIn, chassis: ChassisOf, rights: RightsOf, idempotency_key: KeyHeader = None
) -> Response:
    """Give money back. It is on its way with the answer, and there once its `state` is `succeeded`. When all of it has gone back, a
    booking that stood on it is cancelled.
    """

    async def change(work: UnitOfWork) -> Answer:
        told = (body.order_id, body.amount_minor, body.reason)
        refund = await mutations.refund(work, payment_id, rights, *told)
        out = shown.RefundOut.model_validate(shown.refund(refund))
        return Answer(202, out.model_dump_json().encode(), {"Location": f"/v1/payments/{payment_id}"})

    key = IdempotencyKey.of(rights.user_id, idempotency_key, f"POST /v1/payments/{payment_id}/refund", body)
    return (await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))).response()
