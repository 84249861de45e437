from __future__ import annotations

import datetime as dt
from enum import IntEnum
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.booking.availability.domain import Question
from services.booking.availability.representation import AvailabilityOut, Body
from services.booking.dependencies import AnswersOf, CatalogueOf, ChassisOf
from services.booking.users.rights import role_in
from services.booking.venues.domain import Venue
from services.booking.venues.queries import CourtNotFound, VenueNotFound
from services.chassis import limits, problems
from services.chassis.auth import PerhapsCaller, Principal, Role
from services.chassis.etags import IfNoneMatch, matches
from services.chassis.problems import RequestNotValid

router = APIRouter(
    prefix="/v1/availability",
    tags=["availability"],
    dependencies=[Depends(limits.by_address)],
    responses=problems.responses(problems.TooManyRequests),
)

FRESHNESS = {"Cache-Control": "no-cache", "Vary": "Authorization"}
"""Keep it, but ask each time: a slot may go at any moment, and the price depends on who asks."""


class Duration(IntEnum):
    """Minutes that a slot lasts."""

    SIXTY = 60
    NINETY = 90


Day = Annotated[dt.date | None, Query(ge=dt.date(2000, 1, 1), le=dt.date(2999, 12, 31), examples=["2026-11-28"])]


@router.get(
    "",
    response_model=AvailabilityOut,
    openapi_extra={"security": [{}]},  # a token is welcome, and not needed
    responses={
        304: {"description": "Unchanged since the answer with this ETag", "content": None},
        **problems.responses(VenueNotFound, CourtNotFound),
    },
)
async def get_availability(
    caller: PerhapsCaller,
    chassis: ChassisOf,
    catalogue: CatalogueOf,
    answers: AnswersOf,
    venue_id: UUID,
    from_: Annotated[Day, Query(alias="from", description="The first day, local to the venue")] = None,
    date: Annotated[Day, Query(description="The same as `from`")] = None,
    days: Annotated[int, Query(ge=1, le=14)] = 1,
    court_id: UUID | None = None,
    duration: Annotated[Duration | None, Query(description="Only courts whose slots last so many minutes")] = None,
    include: Annotated[
        Literal["unavailable"] | None, Query(description="Also the slots that cannot be held, with the reason")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The free slots of some days, with what they cost the caller. Open to everyone: it shows no person."""
    venue = _with_court(await catalogue.venue(venue_id), court_id)
    question = Question(
        venue=venue,
        first_day=_one_of(from_, date),
        days=days,
        role=await _role(chassis, caller, venue),
        court_id=court_id,
        slot_minutes=duration,
        with_unavailable=include == "unavailable",
    )
    return _respond(await answers.of(question), if_none_match)


async def _role(chassis: ChassisOf, caller: Principal | None, venue: Venue) -> Role:
    if caller is None:
        return "player"
    return await role_in(chassis.database, caller, venue.id)


def _one_of(from_: dt.date | None, date: dt.date | None) -> dt.date:
    day = from_ or date
    if day is None or (from_ and date):
        errors = [{"parameter": "from", "detail": "Give either `from` or `date`", "code": "one_of"}]
        raise RequestNotValid("The request does not say which day it is for.", errors=errors)
    return day


def _with_court(venue: Venue, court_id: UUID | None) -> Venue:
    if court_id and all(court.id != court_id for court in venue.courts):
        raise CourtNotFound("There is no such court at this venue.", court_id=str(court_id), venue_id=str(venue.id))
    return venue


def _respond(found: Body, if_none_match: str | None) -> Response:
    headers = {"ETag": found.etag, **FRESHNESS}
    if matches(if_none_match, found.etag):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type="application/json")
