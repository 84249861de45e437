"""Who is forgotten at the source is forgotten here too: what was said under their key goes from the letters, and from what edits sent.

A letter may come after the tombstone: a profile that waited on the ladder while its user was erased. So the key is remembered, and the
mirror asks. A lock keeps the two apart: a mirror that has not committed yet is waited for, and one that begins later knows the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.dead_letters.tables import dead_letter_actions, dead_letters, erased_keys
from services.chassis.unit_of_work import UnitOfWork

LOCK = 0x0C0A_57A3
"""The advisory lock between the mirror, which shares it, and a tombstone."""
KEPT = timedelta(days=120)
"""Longer than a record with this key can be on its way: 7 days on the ladder and 90 in the topic of dead letters."""
PURGE_BATCH = 500

letters, actions, erased = dead_letters.c, dead_letter_actions.c, erased_keys.c


async def forget(work: UnitOfWork, key: str) -> None:
    """In the transaction that handles the tombstone. The letters stay, to be discarded; their values are gone."""
    await work.session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    added = upsert(erased_keys).values(key=key.encode(), erased_at=work.now)
    await work.session.execute(added.on_conflict_do_update(index_elements=["key"], set_={"erased_at": work.now}))
    await _empty(work, key.encode())


async def forget_those_known(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of letters that are about to be added, emptied where their key is an erased one. The mirror's first statement."""
    await work.session.execute(select(func.pg_advisory_xact_lock_shared(LOCK)))
    keys = {row["key"] for row in rows} - {None}
    gone = set(await work.session.scalars(select(erased.key).where(erased.key.in_(keys))))
    for row in rows:
        if row["key"] in gone and (row["value"] is not None or row["missing"]):
            row.update(value=None, missing="erased")


async def purge(work: UnitOfWork) -> int:
    """One batch of keys under which nothing can come any more."""
    old = select(erased.key).where(erased.erased_at < work.now - KEPT).limit(PURGE_BATCH)
    done = delete(erased_keys).where(erased.key.in_(old.with_for_update(skip_locked=True)))
    return len((await work.session.execute(done.returning(erased.key))).all())


async def _empty(work: UnitOfWork, key: bytes) -> None:
    """The letters first: who is editing one holds its row, so their edit is seen by the second statement."""
    was_empty = letters.value.is_(None) & letters.missing.is_(None)
    values = {"value": None, "missing": case((was_empty, None), else_="erased")}
    emptied = update(dead_letters).where(letters.key == key).values(values)
    ids = (await work.session.scalars(emptied.returning(letters.id))).all()
    edits = update(dead_letter_actions).where(actions.dead_letter_ids.overlap(ids), actions.value.is_not(None))
    await work.session.execute(edits.values(value=None))
