from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime
from uuid_utils.compat import uuid7

from services.booking.blocked_slots import mutations, queries
from services.booking.blocked_slots.cursors import Cursor
from services.booking.blocked_slots.domain import (
    BlockedSlotNotFound,
    BlockInThePast,
    BlockTooFarAhead,
    BlockTooLong,
    BookingsInTheWay,
    EndsBeforeItStarts,
    Order,
    Scope,
    TooManyBlocks,
    blocks,
)
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
from services.chassis import limits, problems
from services.chassis.auth import Caller
from services.chassis.cursors import CursorNotValid
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, Key, once
from services.chassis.unit_of_work import UnitOfWork

router = APIRouter(
    prefix="/v1",
    tags=["blocked slots"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(
        problems.TooManyRequests,
        UserErased,
        StaffOnly,
        EmailBelongsToAnotherUser,
        VenueNotFound,
        CourtNotFound,
        BlockedSlotNotFound,
        BookingsInTheWay,
        TooManyBlocks,
        EndsBeforeItStarts,
        BlockInThePast,
        BlockTooLong,
        BlockTooFarAhead,
        RuleNotValid,
        RuleTooLong,
        CursorNotValid,
        IdempotencyKeyReused,
    ),
)


@router.post("/venues/{venue_id}/blocked-slots", status_code=201, response_model=BlockOut)
async def block_slots(
    venue_id: UUID,
    body: BlockIn,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    known_users: KnownUsersOf,
    dry_run: Annotated[bool, Query(description="Show what would happen, as 200, and write nothing.")] = False,
    idempotency_key: Key = None,
) -> Response:
    """Take time of one or several courts for the club, once or by a rule: all of it, or nothing."""
    await require_staff(chassis.database, caller, venue_id)
    order = _order(await catalogue.venue(venue_id), body)
    now = chassis.clock.now()
    made = blocks(
        order.spans(now), series_id=uuid7(), venue_id=venue_id, reason=body.reason, by=caller.user_id, now=now
    )
    if dry_run:
        async with chassis.database.sessions() as session:
            met = await in_the_way(session, [block.span for block in made], now)
        standing = [booking for booking in met if not booking.is_overdue(now)]
        shown = represent(order.venue, made, standing, body.over_bookings, dry_run=True)
        return Answer(200, orjson.dumps(shown)).response()
    await known_users.remember(caller)

    async def change(work: UnitOfWork) -> Answer:
        met = await mutations.block(work, catalogue, made, body.over_bookings)
        shown = represent(order.venue, made, met, body.over_bookings, dry_run=False)
        return Answer(201, orjson.dumps(shown))

    key = IdempotencyKey.of(caller.user_id, idempotency_key, f"POST /v1/venues/{venue_id}/blocked-slots", body)
    return (await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))).response()


@router.get("/venues/{venue_id}/blocked-slots", response_model=BlockedSlotsPage)
async def list_blocked_slots(
    venue_id: UUID,
    caller: Caller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    request: Request,
    response: Response,
    court_id: UUID | None = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Blocks that end after this")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Blocks that start before this")] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="From `next_cursor` or `Link` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> dict[str, Any]:
    """By start. The next page is behind `Link: <…>; rel="next"`."""
    await require_staff(chassis.database, caller, venue_id)
    venue = await catalogue.venue(venue_id)
    if since and until and until <= since:
        raise EndsBeforeItStarts("`until` must be later than `from`.")
    after = Cursor.read(cursor).position if cursor else None
    wanted = queries.Wanted(venue_id, court_id, since, until, after, limit + 1)
    async with chassis.database.sessions() as session:
        found = await queries.page(session, wanted)
    following = str(Cursor.behind(found[limit - 1])) if len(found) > limit else None
    if following:
        address = request.url.include_query_params(cursor=following)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
    return {"blocked_slots": [block_out(venue, block) for block in found[:limit]], "next_cursor": following}


@router.delete("/blocked-slots/{blocked_slot_id}", response_model=UnblockedOut)
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
