"""Bookings in the player's own calendar program: one as a file, or all of them as a feed that it subscribes to."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from services.booking.bookings import queries as bookings
from services.booking.bookings.domain import Booking
from services.booking.bookings.queries import BookingNotFound
from services.booking.calendars import mutations, queries
from services.booking.calendars.queries import CalendarNotFound
from services.booking.calendars.rendering import MEDIA_TYPE, Entry, render
from services.booking.dependencies import CalendarKeyOf, CatalogueOf, ChassisOf, KnownUsersOf
from services.booking.users.domain import EmailBelongsToAnotherUser, UserErased
from services.booking.venues.queries import Catalogue
from services.chassis import limits, problems
from services.chassis.auth import Caller
from services.chassis.idempotency import Answer, IdempotencyKey, IdempotencyKeyReused, KeyHeader, once
from services.chassis.problems import Responses
from services.chassis.unit_of_work import UnitOfWork

PRIVATE = {"Cache-Control": "private, no-store"}
ICS: Responses = {200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}}


class CalendarFile(Response):
    media_type = MEDIA_TYPE


by_user = APIRouter(
    tags=["calendars"],
    dependencies=[Depends(limits.by_user)],
    responses=problems.responses(problems.TooManyRequests),
)
by_token = APIRouter(
    tags=["calendars"],
    dependencies=[Depends(limits.by_address)],
    responses=problems.responses(problems.TooManyRequests),
)


class FeedOut(BaseModel):
    """`since` is null when there is no feed."""

    model_config = ConfigDict(title="CalendarFeed")

    since: dt.datetime | None = Field(examples=["2026-11-20T09:00:00Z"])


class NewFeedOut(BaseModel):
    """`url` is shown once, and again to a repeated request: only a hash of its token is kept. Whoever has it reads your bookings."""

    model_config = ConfigDict(title="NewCalendarFeed")

    url: str = Field(examples=["https://api.example.com/v1/calendars/6y4T0XvGm2c.ics"])
    since: dt.datetime = Field(examples=["2026-11-20T09:00:00Z"])


class Renewed(BaseModel):
    """What is kept of an answer under its `Idempotency-Key`: enough to give it again, too little to read a calendar with."""

    salt: str
    since: dt.datetime


@by_user.get(
    "/v1/bookings/{booking_id}/calendar.ics",
    response_class=CalendarFile,
    responses=ICS | problems.responses(BookingNotFound, UserErased),
)
async def get_booking_calendar(
    booking_id: UUID, caller: Caller, chassis: ChassisOf, catalogue: CatalogueOf
) -> CalendarFile:
    """One booking as an iCalendar file. A later version has the same UID and a higher SEQUENCE, and replaces it."""
    async with chassis.database.sessions() as session:
        booking = await bookings.visible(session, booking_id, caller)
    content = render([await _entry(booking, catalogue)], chassis.clock.now())
    name = {"Content-Disposition": f'attachment; filename="booking-{booking.id}.ics"'}
    return CalendarFile(content, headers=PRIVATE | name)


@by_user.get("/v1/me/calendar", response_model=FeedOut)
async def get_my_calendar(caller: Caller, chassis: ChassisOf) -> dict[str, Any]:
    """Whether you have a calendar feed, and since when. Its address was shown when it was made; POST makes a new one."""
    async with chassis.database.sessions() as session:
        return {"since": await queries.feed_since(session, caller.user_id)}


@by_user.post(
    "/v1/me/calendar",
    status_code=201,
    response_model=NewFeedOut,
    responses=problems.responses(EmailBelongsToAnotherUser, UserErased, IdempotencyKeyReused),
)
async def renew_my_calendar(
    caller: Caller,
    chassis: ChassisOf,
    known_users: KnownUsersOf,
    calendar_key: CalendarKeyOf,
    idempotency_key: KeyHeader = None,
) -> Response:
    """Make your calendar feed, or give it a new address; the one before stops working."""
    await known_users.remember(caller)

    async def change(work: UnitOfWork) -> Answer:
        salt = await mutations.renew(work, caller.user_id, calendar_key)
        return Answer(201, Renewed(salt=salt, since=work.now).model_dump_json().encode(), PRIVATE)

    key = IdempotencyKey.of(caller.user_id, idempotency_key, "POST /v1/me/calendar")
    answer = await chassis.unit_of_work.run(lambda work: once(work, key, lambda: change(work)))
    renewed = Renewed.model_validate_json(answer.body)
    token = mutations.token_of(calendar_key, caller.user_id, renewed.salt)
    shown = NewFeedOut(url=f"{chassis.settings.public_url}/v1/calendars/{token}.ics", since=renewed.since)
    return replace(answer, body=shown.model_dump_json().encode()).response()


@by_token.get(
    "/v1/calendars/{token}.ics", response_class=CalendarFile, responses=ICS | problems.responses(CalendarNotFound)
)
async def get_calendar_feed(
    token: Annotated[str, Path(max_length=100)], chassis: ChassisOf, catalogue: CatalogueOf
) -> CalendarFile:
    """A player's bookings, for a calendar program. It needs no bearer token: who knows the address may read."""
    now = chassis.clock.now()
    async with chassis.database.sessions() as session:
        user_id = await queries.owner(session, token)
        found = await bookings.for_calendar(session, user_id, now)
    entries = [await _entry(booking, catalogue) for booking in found]
    return CalendarFile(render(entries, now, name="Courtside"), headers=PRIVATE)


async def _entry(booking: Booking, catalogue: Catalogue) -> Entry:
    return Entry(booking, *await catalogue.court(booking.court_id))
