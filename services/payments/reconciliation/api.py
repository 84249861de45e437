"""HTTP in: compare with Polar now, and see what comparisons found. For admins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from services.chassis import limits, problems
from services.chassis.auth import AdminOnly, Caller, admin
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, KeyHeader, Replay, once
from services.chassis.instants import Rfc3339
from services.chassis.unit_of_work import UnitOfWork
from services.payments.dependencies import ChassisOf, PolarOf
from services.payments.reconciliation import mutations, queries
from services.payments.reconciliation.domain import Kind, ReconciliationNotFound, SinceIsInTheFuture
from services.payments.reconciliation.reconciler import Reconciler
from services.payments.reconciliation.tables import Reconciliation

log = structlog.get_logger()

PREFIX = "/v1/ops/reconciliations"

router = APIRouter(
    prefix=PREFIX,
    tags=["reconciliation"],
    dependencies=[Depends(limits.by_user), Depends(admin)],
    responses=problems.responses(problems.TooManyRequests, AdminOnly),
)


Since = Annotated[Rfc3339, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))]


class ReconcileIn(BaseModel):
    """Without `since`, everything there ever was is compared."""

    model_config = ConfigDict(extra="forbid", title="Reconcile")

    since: Since | None = Field(default=None, examples=["2026-11-28T00:00:00+01:00"])


class DifferenceOut(BaseModel):
    """`subject` is the id of an order at Polar, a refund of ours, or a booking."""

    model_config = ConfigDict(title="Difference")

    kind: Kind
    subject: str
    detail: str


class ReconciliationOut(BaseModel):
    """`seen` and `repaired` count; `differences` are for a person to see to. One that never ends was broken off: the next does its work."""

    model_config = ConfigDict(title="Reconciliation")

    id: UUID
    state: Literal["running", "ended", "failed"]
    actor: str
    since: datetime | None
    started_at: datetime
    ended_at: datetime | None
    seen: dict[str, int]
    repaired: dict[str, int]
    differences: list[DifferenceOut]
    failure: str | None


class ReconciliationsOut(BaseModel):
    """The last twenty, the newest first."""

    model_config = ConfigDict(title="Reconciliations")

    items: list[ReconciliationOut]


@router.post(
    "",
    status_code=202,
    response_model=ReconciliationOut,
    responses=problems.responses(IdempotencyKeyReused, SinceIsInTheFuture),
)
async def reconcile(
    body: ReconcileIn, caller: Caller, chassis: ChassisOf, polar: PolarOf, idempotency_key: KeyHeader = None
) -> Response:
    """Compare orders, refunds and payment pages with Polar, beside what the clock does by itself every five minutes."""

    async def change(work: UnitOfWork) -> Answer:
        if body.since and body.since > work.now:
            raise SinceIsInTheFuture("Nothing was made since then: it is yet to come.")
        reconciliation_id = await mutations.begin(work, body.since, str(caller.user_id))
        begun = await queries.one(work.session, reconciliation_id)
        assert begun is not None, "this transaction made it"
        told = ReconciliationOut.model_validate(represent(begun)).model_dump_json().encode()
        return Answer(202, told, {"Location": f"{PREFIX}/{reconciliation_id}"})

    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST {PREFIX}", body)
    answer = await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))
    response = answer.response()
    if not isinstance(answer, Replay):
        reconciliation_id = UUID(answer.headers["Location"].rpartition("/")[2])
        reconciler = Reconciler(polar, chassis.unit_of_work)
        response.background = BackgroundTask(_run, reconciler, reconciliation_id, body.since)
    return response


@router.get("", response_model=ReconciliationsOut)
async def list_reconciliations(chassis: ChassisOf) -> dict[str, Any]:
    async with chassis.database.sessions() as session:
        return {"items": [represent(one) for one in await queries.latest(session)]}


@router.get(
    "/{reconciliation_id}",
    response_model=ReconciliationOut,
    responses=problems.responses(ReconciliationNotFound),
)
async def read_reconciliation(reconciliation_id: UUID, chassis: ChassisOf) -> dict[str, Any]:
    """How far it is, what it mended, and what it left."""
    async with chassis.database.sessions() as session:
        found = await queries.one(session, reconciliation_id)
    if found is None:
        raise ReconciliationNotFound("There was no such comparison.", reconciliation_id=str(reconciliation_id))
    return represent(found)


def represent(row: Reconciliation) -> dict[str, Any]:
    state = "running" if row.ended_at is None else "failed" if row.failure else "ended"
    told = {name: getattr(row, name) for name in ReconciliationOut.model_fields if name != "state"}
    return told | {"state": state}


async def _run(reconciler: Reconciler, reconciliation_id: UUID, since: datetime | None) -> None:
    """After the answer: what goes wrong is written down with the comparison, and nobody else hears of it."""
    try:
        await reconciler.run(reconciliation_id, since)
    except Exception as error:
        log.warning("comparison with Polar failed", reconciliation_id=str(reconciliation_id), exc_info=error)
