from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from uuid_utils.compat import uuid7

from services.booking.blocked_slots import mutations, queries
from services.booking.blocked_slots.domain import (
    INTERVALS,
    BlockedSlot,
    BlockedSlotNotFound,
    BookingsInTheWay,
    EndsBeforeItStarts,
    Order,
    Scope,
    TooManyBlocks,
    blocks,
)
from services.booking.blocked_slots.filling import CourtContended
from services.booking.blocked_slots.listing import BlockFilters, Listing
from services.booking.blocked_slots.recurrence import RuleNotValid, RuleTooLong
from services.booking.blocked_slots.representation import (
    BlockedSlotsPage,
    BlockIn,
    BlockOut,
    UnblockedOut,
    block_out,
    represent,
)
from services.booking.bookings.queries import in_the_way
from services.booking.dependencies import CatalogueOf, ChassisOf, KnownUsersOf
from services.booking.users.domain import EmailBelongsToAnotherUser, StaffOnly, UserErased
from services.booking.users.rights import require_staff, rights_of
from services.booking.venues.domain import Venue
from services.booking.venues.queries import CourtNotFound, VenueNotFound
from services.chassis import cursors, limits, problems
from services.chassis.auth import Caller
from services.chassis.cursors import LINKED, CursorNotValid
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, KeyHeader, once
from services.chassis.problems import Responses
from services.chassis.unit_of_work import UnitOfWork

router = APIRouter(
    prefix="/v1",
    tags=["blocked slots"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests, UserErased, StaffOnly),
)
DRY_RUN: Responses = {200: {"description": "A dry run: what would happen", "model": BlockOut}}


@router.post(
    "/venues/{venue_id}/blocked-slots",
    status_code=201,
    response_model=BlockOut,
    responses=DRY_RUN
    | problems.responses(
        *INTERVALS,
        EmailBelongsToAnotherUser,
        VenueNotFound,
        CourtNotFound,
        TooManyBlocks,
        RuleNotValid,
        RuleTooLong,
        BookingsInTheWay,
        CourtContended,
        IdempotencyKeyReused,
    ),
)
async def block_slots(
    venue_id: UUID,
    body: BlockIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    known_users: KnownUsersOf,
    dry_run: Annotated[bool, Query(description="Show what would happen, as 200, and write nothing.")] = False,
    idempotency_key: KeyHeader = None,
) -> Response:
    """Take time of one or several courts for the club, once or by a rule: all of it, or nothing."""
    await require_staff(chassis.database, caller, venue_id)
    venue = await catalogue.venue(venue_id)

    def made(now: datetime) -> list[BlockedSlot]:
        spans = _order(venue, body).spans(now)
        return blocks(spans, series_id=uuid7(), venue_id=venue_id, reason=body.reason, by=caller.user_id, now=now)

    if dry_run:
        now = chassis.clock.now()
        shown = made(now)
        async with chassis.database.sessions() as session:
            met = await in_the_way(session, [block.span for block in shown], now)
        standing = [booking for booking in met if not booking.is_overdue(now)]
        return Answer(200, orjson.dumps(represent(venue, shown, standing, body.over_bookings, dry_run=True))).response()
    await known_users.remember(caller)

    async def change(work: UnitOfWork) -> Answer:
        wanted = made(work.now)  # a request that is repeated has its answer, also when its time is over by then
        met = await mutations.block(work, catalogue, wanted, body.over_bookings)
        return Answer(201, orjson.dumps(represent(venue, wanted, met, body.over_bookings, dry_run=False)))

    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST /v1/venues/{venue_id}/blocked-slots", body)
    return (await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))).response()


@router.get(
    "/venues/{venue_id}/blocked-slots",
    response_model=BlockedSlotsPage,
    responses=LINKED | problems.responses(VenueNotFound, EndsBeforeItStarts, CursorNotValid),
)
async def list_blocked_slots(
    venue_id: UUID,
    filters: Annotated[BlockFilters, Query()],
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    request: Request,
    response: Response,
) -> dict[str, Any]:
    """By start. The next page is behind `Link: <…>; rel="next"`."""
    await require_staff(chassis.database, caller, venue_id)
    venue = await catalogue.venue(venue_id)
    async with chassis.database.sessions() as session:
        page, next_cursor = await queries.page(session, Listing.of(venue_id, filters))
    if next_cursor:
        response.headers["Link"] = cursors.link(request.url.path, filters, next_cursor)
    return {"blocked_slots": [block_out(venue, block) for block in page], "next_cursor": next_cursor}


@router.delete(
    "/blocked-slots/{blocked_slot_id}",
    response_model=UnblockedOut,
    responses=problems.responses(BlockedSlotNotFound, CourtContended),
)
async def unblock_slots(
    blocked_slot_id: UUID,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    scope: Annotated[
        Scope, Query(description="This block, this and the following of its series, or the whole series")
    ] = "one",
) -> dict[str, int]:
    """Give the time back. A series is deleted on all of its courts."""

    async def change(work: UnitOfWork) -> int:
        block = await queries.one(work.session, blocked_slot_id)
        (await rights_of(work.session, caller)).require_staff_at(block.venue_id)
        return await mutations.unblock(work, catalogue, block, scope)

    return {"unblocked": await chassis.unit_of_work.run(change)}


def _order(venue: Venue, body: BlockIn) -> Order:
    for court_id in set(body.court_ids) - {court.id for court in venue.courts}:
        raise CourtNotFound("There is no such court of this venue.", court_id=str(court_id))
    return Order(venue, sorted(set(body.court_ids)), body.starts_at, body.ends_at, body.rrule)
