"""Whether a database is migrated: asked in milliseconds, where a migration that finds nothing to do takes a second to say so."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from alembic.script import ScriptDirectory

from deploy.local.postgres import Postgres


async def is_current(postgres: Postgres, database: str, migrations: Path) -> bool:
    return await _applied(postgres, database) == set(ScriptDirectory(str(migrations)).get_heads())


async def _applied(postgres: Postgres, database: str) -> set[str]:
    connection = await postgres.connect(database)
    try:
        return {row["version_num"] for row in await connection.fetch("SELECT version_num FROM alembic_version")}
    except asyncpg.UndefinedTableError:
        return set()
    finally:
        await connection.close()
