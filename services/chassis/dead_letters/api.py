"""HTTP in: the desk of the service's dead letters, for admins. The routes stand at the end, on one screen."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, ConfigDict, Field

from services.chassis import auth, limits
from services.chassis.auth import AdminOnly
from services.chassis.cursors import CursorNotValid
from services.chassis.dead_letters import domain, mutations, queries, redrives_api
from services.chassis.dead_letters import representation as shown
from services.chassis.dead_letters.dependencies import PREFIX, BecauseIn, ChassisOf, DeciderOf, DeskOf
from services.chassis.dead_letters.domain import DeadLetterNotFound, Decision, Desk
from services.chassis.dead_letters.listing import Filters, GroupFilters, Name
from services.chassis.idempotency import Answer, IdempotencyKeyReused
from services.chassis.outbox import RelayOff
from services.chassis.problems import Problem, TooManyRequests, responses
from services.chassis.unit_of_work import UnitOfWork


def _sendable(value: dict[str, Any]) -> dict[str, Any]:
    """Python reads more than JSON can say: numbers that are none, and halves of characters."""
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


class EditIn(BecauseIn):
    """`value` replaces the old one. `type` is for a letter whose own cannot be read, or was wrong."""

    model_config = ConfigDict(extra="forbid", title="EditDeadLetter")

    value: Annotated[dict[str, Any], AfterValidator(_sendable)]
    type: Name | None = Field(default=None, examples=["booking.held.v1"])


async def list_dead_letters(
    filters: Annotated[Filters, Query()], chassis: ChassisOf, desk: DeskOf, response: Response
) -> dict[str, Any]:
    """The open ones, or those in the states that are asked for."""
    async with chassis.database.sessions() as session:
        page, next_cursor = await queries.page(session, filters)
    if next_cursor:
        response.headers["Link"] = filters.link(PREFIX, next_cursor)
    return {"items": [shown.letter(row, desk.service) for row in page], "next_cursor": next_cursor}


async def group_dead_letters(
    filters: Annotated[GroupFilters, Query()], chassis: ChassisOf, desk: DeskOf
) -> dict[str, Any]:
    """What went wrong, how often, and since when: by error class, type of event and consumer."""
    async with chassis.database.sessions() as session:
        groups = await queries.groups(session, filters)
    return {"items": [shown.group(row, desk.service) for row in groups]}


async def read_dead_letter(dead_letter_id: UUID, chassis: ChassisOf, desk: DeskOf) -> dict[str, Any]:
    """Everything that is known of one: the bytes, where it came from, what was decided, and what came of it."""
    async with chassis.database.sessions() as session:
        row = await queries.find(session, dead_letter_id)
        if row is None:
            raise DeadLetterNotFound("There is no such dead letter.", dead_letter_id=str(dead_letter_id))
        history = await queries.history(session, dead_letter_id)
        actions = await queries.actions(session, [one.id for one in history])
    return shown.detail(row, desk.service, history, actions)


async def redrive_dead_letter(dead_letter_id: UUID, body: BecauseIn, decider: DeciderOf, desk: DeskOf) -> Response:
    """Send it again, as it is, to this service alone. It is tried after the first tier's delay; when it fails again it comes back."""

    async def change(work: UnitOfWork, decision: Decision) -> Answer:
        await mutations.redrive(work, desk, dead_letter_id, decision)
        return await _answer(work, desk, dead_letter_id, 202)

    return await decider.once(body, change)


async def edit_dead_letter(dead_letter_id: UUID, body: EditIn, decider: DeciderOf, desk: DeskOf) -> Response:
    """Send a new event in its place: the value given, a new id, the old id as its cause. The old one is closed."""

    async def change(work: UnitOfWork, decision: Decision) -> Answer:
        await mutations.edit(work, desk, dead_letter_id, body.type, body.value, decision)
        return await _answer(work, desk, dead_letter_id, 202)

    return await decider.once(body, change)


async def discard_dead_letter(dead_letter_id: UUID, body: BecauseIn, decider: DeciderOf, desk: DeskOf) -> Response:
    """Close it without sending anything. There is no way back."""

    async def change(work: UnitOfWork, decision: Decision) -> Answer:
        await mutations.discard(work, dead_letter_id, decision)
        return await _answer(work, desk, dead_letter_id, 200)

    return await decider.once(body, change)


async def reopen_dead_letter(dead_letter_id: UUID, body: BecauseIn, decider: DeciderOf, desk: DeskOf) -> Response:
    """Take one up again that was redriven and not heard of for longer than the whole ladder of retries."""

    async def change(work: UnitOfWork, decision: Decision) -> Answer:
        await mutations.reopen(work, dead_letter_id, decision)
        return await _answer(work, desk, dead_letter_id, 200)

    return await decider.once(body, change)


async def _answer(work: UnitOfWork, desk: Desk, letter_id: UUID, status: int) -> Answer:
    row = await queries.find(work.session, letter_id)
    assert row is not None, "it is locked by this transaction"
    told = shown.DeadLetterOut.model_validate(shown.letter(row, desk.service))
    return Answer(status, told.model_dump_json().encode())


LETTER = "/{dead_letter_id}"
DISCARDED = responses(DeadLetterNotFound, domain.DeadLetterDecided, IdempotencyKeyReused)
SENT = (
    DeadLetterNotFound,
    domain.DeadLetterDecided,
    IdempotencyKeyReused,
    RelayOff,
    domain.TypeNotHandled,
    domain.TooLargeToSend,
    domain.ValueErased,
)
REDRIVEN, EDITED = responses(*SENT, domain.NeitherKeyNorValue), responses(*SENT, domain.EventNotValid)
REOPENED = responses(DeadLetterNotFound, domain.DeadLetterNotRedriven, domain.StillOnItsWay, IdempotencyKeyReused)
STARTED = responses(domain.NothingToRedrive, domain.RedriveUnderWay, RelayOff, IdempotencyKeyReused)
FOUND = responses(domain.RedriveNotFound)
HALTED = responses(domain.RedriveNotFound, domain.RedriveEnded, IdempotencyKeyReused)


def router(admin: Callable[..., Awaitable[None]] = auth.admin, *refusals: type[Problem]) -> APIRouter:
    """`admin` raises unless the caller may operate the service: `AdminOnly`, or one of the `refusals`."""
    routes = APIRouter(
        prefix=PREFIX,
        tags=["dead letters"],
        dependencies=[Depends(limits.by_user), Depends(admin)],
        responses=responses(TooManyRequests, AdminOnly, *refusals),
    )
    get, post = routes.get, routes.post
    one, group = shown.DeadLetterOut, shown.RedriveOut
    get("", response_model=shown.DeadLettersOut, responses=responses(CursorNotValid))(list_dead_letters)
    get("/groups", response_model=shown.GroupsOut)(group_dead_letters)
    post("/redrives", response_model=group, status_code=202, responses=STARTED)(redrives_api.redrive_dead_letters)
    get("/redrives/{redrive_id}", response_model=group, responses=FOUND)(redrives_api.read_redrive)
    post("/redrives/{redrive_id}/halt", response_model=group, responses=HALTED)(redrives_api.halt_redrive)
    get(LETTER, response_model=shown.DeadLetterDetailOut, responses=responses(DeadLetterNotFound))(read_dead_letter)
    post(f"{LETTER}/redrive", response_model=one, status_code=202, responses=REDRIVEN)(redrive_dead_letter)
    post(f"{LETTER}/edit", response_model=one, status_code=202, responses=EDITED)(edit_dead_letter)
    post(f"{LETTER}/discard", response_model=one, responses=DISCARDED)(discard_dead_letter)
    post(f"{LETTER}/reopen", response_model=one, responses=REOPENED)(reopen_dead_letter)
    return routes
