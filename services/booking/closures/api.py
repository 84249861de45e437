from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from uuid_utils.compat import uuid7

from services.booking.blocked_slots.domain import (
    BlockInThePast,
    BlockTooFarAhead,
    BlockTooLong,
    EndsBeforeItStarts,
    check_interval,
)
from services.booking.closures import mutations, queries
from services.booking.closures.domain import LONGEST, Closure, ClosureNotFound, State
from services.booking.dependencies import CatalogueOf, ChassisOf, KnownUsersOf
from services.booking.users.domain import EmailBelongsToAnotherUser, StaffOnly, UserErased
from services.booking.users.rights import require_staff
from services.booking.venues.domain import Venue
from services.booking.venues.queries import Catalogue, VenueNotFound
from services.chassis import limits, problems
from services.chassis.auth import Caller
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, Key, once
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

log = structlog.get_logger()

router = APIRouter(
    prefix="/v1",
    tags=["closures"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(
        problems.TooManyRequests,
        UserErased,
        StaffOnly,
        EmailBelongsToAnotherUser,
        VenueNotFound,
        ClosureNotFound,
        EndsBeforeItStarts,
        BlockInThePast,
        BlockTooLong,
        BlockTooFarAhead,
        IdempotencyKeyReused,
    ),
)


class ClosureIn(BaseModel):
    """All courts of the venue, from then till then."""

    model_config = ConfigDict(extra="forbid", title="Close")

    starts_at: AwareDatetime = Field(alias="from", examples=["2026-11-28T15:00:00+01:00"])
    ends_at: AwareDatetime = Field(alias="until", examples=["2026-11-28T23:00:00+01:00"])
    reason: str = Field(min_length=1, max_length=500, description="Told to everyone who was booked.", examples=["Rain"])


class ClosureOut(BaseModel):
    """`cancelled` of `total` bookings so far. Nobody gets a slot in the closed time from the first answer on."""

    model_config = ConfigDict(title="Closure")

    id: UUID
    venue_id: UUID
    starts_at: datetime = Field(alias="from")
    ends_at: datetime = Field(alias="until")
    reason: str
    state: State
    total: int
    cancelled: int
    created_at: datetime
    finished_at: datetime | None


@router.post("/venues/{venue_id}/closures", status_code=202, response_model=ClosureOut)
async def close_venue(
    venue_id: UUID,
    body: ClosureIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    known_users: KnownUsersOf,
    idempotency_key: Key = None,
) -> Response:
    """Close a venue at once and cancel what is booked there, in the background. The same request with the same key goes on with it."""
    await require_staff(chassis.database, caller, venue_id)
    venue = await catalogue.venue(venue_id)
    await known_users.remember(caller)
    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST /v1/venues/{venue_id}/closures", body)

    async def change(work: UnitOfWork) -> Answer:
        check_interval(body.starts_at, body.ends_at, work.now, LONGEST)
        closure = Closure(uuid7(), venue_id, body.starts_at, body.ends_at, body.reason, caller.user_id, work.now)
        await mutations.close(work, catalogue, venue, closure)
        return Answer(202, orjson.dumps(represent(closure, venue)), {"Location": f"/v1/closures/{closure.id}"})

    answer = await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))
    response = answer.response()
    closure_id = UUID(orjson.loads(answer.body)["id"])
    response.background = BackgroundTask(_carry_out, chassis.unit_of_work, catalogue, closure_id)
    return response


async def _carry_out(unit_of_work: UnitOfWorkFactory, catalogue: Catalogue, closure_id: UUID) -> None:
    """After the answer, so nobody hears of a failure here: the cron does what is left."""
    try:
        await mutations.carry_out(unit_of_work, catalogue, closure_id)
    except Exception as error:
        log.warning("closure is left to the cron", closure_id=str(closure_id), exc_info=error)


@router.get("/closures/{closure_id}", response_model=ClosureOut)
async def get_closure(closure_id: UUID, caller: Caller, chassis: ChassisOf, catalogue: CatalogueOf) -> dict[str, Any]:
    """How far the cancellations are."""
    async with chassis.database.sessions() as session:
        closure = await queries.one(session, closure_id)
    await require_staff(chassis.database, caller, closure.venue_id)
    return represent(closure, await catalogue.venue(closure.venue_id))


def represent(closure: Closure, venue: Venue) -> dict[str, Any]:
    return {
        "id": str(closure.id),
        "venue_id": str(closure.venue_id),
        "from": venue.local(closure.starts_at).isoformat(),
        "until": venue.local(closure.ends_at).isoformat(),
        "reason": closure.reason,
        "state": closure.state,
        "total": closure.total,
        "cancelled": closure.cancelled,
        "created_at": venue.local(closure.created_at).isoformat(),
        "finished_at": venue.local(closure.finished_at).isoformat() if closure.finished_at else None,
    }
