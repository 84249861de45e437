"""Polar's API under `/v1`, as far as a booking backend uses it."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from deploy.standins.clock import seconds
from deploy.standins.polar import checkouts, refunds
from deploy.standins.polar.errors import InvalidInput
from deploy.standins.polar.faults import course_of
from deploy.standins.polar.inputs import CheckoutCreate, CheckoutUpdate, RefundCreate
from deploy.standins.polar.listing import Filter, Ids, Paging, listed
from deploy.standins.polar.parts import Standin
from deploy.standins.polar.state import Document

router = APIRouter(prefix="/v1")

CheckoutStatus = Literal["open", "expired", "confirmed", "succeeded", "failed"]
OrderStatus = Literal["draft", "pending", "paid", "refunded", "partially_refunded", "void"]
PaymentStatus = Literal["pending", "succeeded", "failed"]


@router.post("/checkouts/", status_code=201)
async def create_checkout(standin: Standin, body: CheckoutCreate) -> Document:
    return checkouts.open_checkout(standin, body)


@router.get("/checkouts/")
async def list_checkouts(
    standin: Standin,
    paging: Paging,
    status: Annotated[list[CheckoutStatus] | None, Query()] = None,
    query: str | None = None,
    product_id: Ids = None,
    customer_id: Ids = None,
    external_customer_id: Annotated[list[str] | None, Query()] = None,
) -> Document:
    chosen = Filter()
    chosen.any_of("status", status)
    chosen.any_of("product_id", product_id)
    chosen.any_of("customer_id", customer_id)
    if query:
        chosen.where("instr(lower(json_extract(doc, '$.customer_email')), lower(?)) > 0", query)
    if external_customer_id:  # joins the customer: the open checkout of a first-time buyer is not found by it
        marks = ", ".join("?" for _ in external_customer_id)
        found = f"SELECT id FROM customers WHERE external_id IN ({marks})"  # noqa: S608 - question marks
        chosen.where(f"json_extract(doc, '$.customer_id') IN ({found})", *external_customer_id)
    return listed(standin, "checkouts", chosen, paging)


@router.get("/checkouts/{checkout_id}")
async def get_checkout(standin: Standin, checkout_id: UUID) -> Document:
    return standin.document("checkouts", str(checkout_id))


@router.patch("/checkouts/{checkout_id}")
async def update_checkout(standin: Standin, checkout_id: UUID, body: CheckoutUpdate) -> Document:
    return checkouts.update(standin, str(checkout_id), body)


@router.get("/orders/")
async def list_orders(
    standin: Standin,
    request: Request,
    paging: Paging,
    status: Annotated[list[OrderStatus] | None, Query()] = None,
    checkout_id: Ids = None,
    customer_id: Ids = None,
    product_id: Ids = None,
    created_after: str | None = None,
    created_before: str | None = None,
) -> Document:
    chosen = Filter()
    chosen.any_of("status", status)
    chosen.any_of("checkout_id", checkout_id)
    chosen.any_of("customer_id", customer_id)
    chosen.any_of("product_id", product_id)
    if created_after:
        chosen.where("created_at >= ?", _instant("created_after", created_after))
    if created_before:
        chosen.where("created_at <= ?", _instant("created_before", created_before))
    chosen.metadata(request)
    return listed(standin, "orders", chosen, paging)


@router.get("/orders/{order_id}")
async def get_order(standin: Standin, order_id: UUID) -> Document:
    return standin.document("orders", str(order_id))


@router.get("/payments/")
async def list_payments(
    standin: Standin,
    paging: Paging,
    status: Annotated[list[PaymentStatus] | None, Query()] = None,
    checkout_id: Ids = None,
    order_id: Ids = None,
) -> Document:
    chosen = Filter()
    chosen.any_of("status", status)
    chosen.any_of("checkout_id", checkout_id)
    chosen.any_of("order_id", order_id)
    return listed(standin, "payments", chosen, paging)


@router.post("/refunds/", status_code=201)
async def create_refund(standin: Standin, request: Request, body: RefundCreate) -> Document:
    return refunds.create(standin, body, course_of(request.scope, standin))


@router.get("/refunds/")
async def list_refunds(
    standin: Standin,
    paging: Paging,
    refund_id: Annotated[list[UUID] | None, Query(alias="id")] = None,
    order_id: Ids = None,
    customer_id: Ids = None,
    succeeded: bool | None = None,
) -> Document:
    chosen = Filter()
    chosen.any_of("id", refund_id)
    chosen.any_of("order_id", order_id)
    chosen.any_of("customer_id", customer_id)
    if succeeded is not None:
        chosen.where("(status = 'succeeded') = ?", succeeded)
    return listed(standin, "refunds", chosen, paging)


@router.get("/customers/external/{external_id}")
async def get_external_customer(standin: Standin, external_id: str) -> Any:
    return standin.document("customers", external_id, "external_id")


def _instant(name: str, text: str) -> float:
    try:
        return seconds(text)
    except ValueError:
        raise InvalidInput("query", name, msg="Input should be a valid datetime") from None
