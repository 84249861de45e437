"""One PostgreSQL database, two ways in: SQLAlchemy for ordinary work, a bare asyncpg pool for what must cost one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from services.chassis.settings import Settings

NAMING = {
    "ix": "%(table_name)s_by_%(column_0_N_name)s",
    "uq": "%(table_name)s_unique_%(column_0_N_name)s",
    "ck": "%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    "pk": "%(table_name)s_pk",
}
"""Constraints are named for people: their names are mapped to errors and stand in alerts."""

CHASSIS = MetaData(naming_convention=NAMING)
"""The tables that every service has: outbox and inbox."""

SERVER_SETTINGS = {
    "statement_timeout": "5000",  # ms; no request may hold a connection for longer
    "lock_timeout": "2000",  # ms; a waiter answers 503 before its client gives up
    "idle_in_transaction_session_timeout": "60000",  # ms; the relay waits for the broker inside its transaction, and starts anew
}


@dataclass(frozen=True)
class Database:
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    pool: asyncpg.Pool[asyncpg.Record]

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Connections are made when they are first needed, so a process starts while its database is away."""
        application = {"application_name": settings.service}
        engine = create_async_engine(
            settings.sqlalchemy_url(),
            pool_size=settings.database_pool_size,
            pool_pre_ping=True,
            connect_args={"server_settings": SERVER_SETTINGS | application},
        )
        pool = asyncpg.create_pool(
            settings.database_url.get_secret_value(),
            min_size=0,
            max_size=settings.database_pool_size,
            server_settings=SERVER_SETTINGS | application,
            connection_class=StatelessConnection,
        )
        await pool
        return cls(engine, async_sessionmaker(engine, expire_on_commit=False), pool)

    async def close(self) -> None:
        await self.engine.dispose()
        self.pool.terminate()


class StatelessConnection(asyncpg.Connection):
    """A connection that carries no session state from one use to the next, and so is not reset when it is given back.

    The reset is a round trip of its own: a third of a hold's cost. Use the pool for single statements and plain transactions only;
    nothing that outlives them (SET, LISTEN, session locks, temporary tables).
    """

    def get_reset_query(self) -> str:
        return ""
