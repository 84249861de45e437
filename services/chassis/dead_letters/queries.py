from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis.dead_letters.domain import Letter
from services.chassis.dead_letters.listing import Filters, GroupFilters
from services.chassis.dead_letters.tables import AnyRow, dead_letter_actions, dead_letter_redrives, dead_letters
from services.chassis.verbatim import unpack

columns = dead_letters.c
SHOWN = [column for column in columns if column.name not in ("value", "headers", "mirrored_at")]
"""Of a list: a page of bodies could be a hundred megabytes."""
LETTER = (
    *(columns.id, columns.key, columns.value, columns.headers, columns.event_id, columns.type, columns.state),
    *(columns.missing, columns.decided_at),
)
GROUPS_MAX = 100
HISTORY_MAX = 100


async def page(session: AsyncSession, filters: Filters) -> tuple[list[AnyRow], str | None]:
    """The newest first, and where the next page begins."""
    order = (columns.died_at.desc(), columns.id.desc())
    found = select(*SHOWN).where(filters.where(), filters.after()).order_by(*order).limit(filters.limit + 1)
    return filters.cut(list((await session.execute(found)).all()))


async def groups(session: AsyncSession, filters: GroupFilters) -> Sequence[AnyRow]:
    """Error class, type, count, oldest, newest; the largest first."""
    count = func.count()
    named = (columns.error_class, columns.type)
    found = (
        select(*named, count, func.min(columns.died_at), func.max(columns.died_at))
        .where(filters.where())
        .group_by(*named)
    )
    return (await session.execute(found.order_by(count.desc(), *named).limit(GROUPS_MAX))).all()


async def find(session: AsyncSession, letter_id: UUID) -> AnyRow | None:
    return (await session.execute(select(dead_letters).where(columns.id == letter_id))).one_or_none()


async def history(session: AsyncSession, letter_id: UUID) -> Sequence[AnyRow]:
    """All letters of one event that dies again and again, this one among them: from the first death to the last."""
    earlier = select(columns.id, columns.predecessor_id).where(columns.id == letter_id).cte("earlier", recursive=True)
    earlier = earlier.union(
        select(columns.id, columns.predecessor_id).where(columns.id == earlier.c.predecessor_id).limit(HISTORY_MAX)
    )
    line = select(earlier.c.id).cte("line", recursive=True)
    line = line.union(select(columns.id).where(columns.predecessor_id == line.c.id))
    found = select(*SHOWN).where(columns.id.in_(select(line.c.id)))
    return (await session.execute(found.order_by(columns.died_at, columns.id).limit(HISTORY_MAX))).all()


async def actions(session: AsyncSession, letter_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    actions = dead_letter_actions.c
    found = select(dead_letter_actions).where(actions.dead_letter_ids.overlap(letter_ids))
    return (await session.execute(found.order_by(actions.at, actions.id))).all()


async def lock(session: AsyncSession, letter_id: UUID) -> Letter | None:
    found = select(*LETTER).where(columns.id == letter_id).with_for_update()
    row = (await session.execute(found)).one_or_none()
    return row and letter_of(row)


def letter_of(row: AnyRow) -> Letter:
    headers = unpack(row.headers)
    return Letter(row.id, row.key, row.value, headers, row.event_id, row.type, row.state, row.missing, row.decided_at)


async def successor_of(session: AsyncSession, letter_id: UUID) -> UUID | None:
    """The letter that this one came back as."""
    found = select(columns.id).where(columns.predecessor_id == letter_id).order_by(columns.died_at).limit(1)
    return await session.scalar(found)


async def find_redrive(session: AsyncSession, redrive_id: UUID) -> AnyRow | None:
    found = select(dead_letter_redrives).where(dead_letter_redrives.c.id == redrive_id)
    return (await session.execute(found)).one_or_none()


async def outcomes(session: AsyncSession, redrive_id: UUID) -> Mapping[str, int]:
    """How many of a redrive's letters are in which state; those that were not sent yet are not its own."""
    found = select(columns.state, func.count()).where(columns.redrive_id == redrive_id).group_by(columns.state)
    return {row.state: row[1] for row in await session.execute(found)}
