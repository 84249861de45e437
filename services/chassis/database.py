"""One PostgreSQL database, two ways in: SQLAlchemy for ordinary work, a bare asyncpg pool for what must cost one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeoutError
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

ACQUIRE_SECONDS = 5.0
"""How long a request waits for a connection of a busy pool before it answers 503."""
BURST = 10
"""Connections that the engine opens beyond its pool for as long as they are in use."""
TIMEOUTS: dict[str, Any] = {"timeout": 5.0, "command_timeout": 10.0}
"""Of connecting, and of one statement: our own end, for a database that falls silent and so cannot time anything out."""

SERVER_SETTINGS = {
    "statement_timeout": "5000",  # ms; no request may hold a connection for longer
    "lock_timeout": "2000",  # ms; a waiter answers 503 before its client gives up
    "idle_in_transaction_session_timeout": "60000",  # ms; no work of ours pauses in a transaction; the relay has a connection of its own
}


@dataclass(frozen=True)
class Database:
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    pool: asyncpg.Pool[asyncpg.Record]
    health: AsyncEngine
    """One connection, which no request takes: a process that has its hands full can still say that it is well."""

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Connections are made when they are first needed, so a process starts while its database is away."""
        engine = _engine(settings, settings.database_pool_size, BURST)
        health = _engine(settings, 1, 0)
        pool = asyncpg.create_pool(
            settings.database_url.get_secret_value(),
            min_size=0,
            max_size=settings.database_pool_size,
            server_settings=_server_settings(settings),
            **TIMEOUTS,
            connection_class=StatelessConnection,
        )
        await pool
        return cls(engine, async_sessionmaker(engine, expire_on_commit=False), pool, health)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of one statement that is a transaction of its own: one round trip. Raises `NoDatabase`."""
        try:
            async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                try:
                    return await connection.fetch(statement, *arguments)
                except asyncpg.InternalClientError:
                    connection.terminate()  # nobody may get it from the pool again
                    raise
        except UNREACHABLE as error:
            raise NoDatabase(type(error).__name__) from error

    async def connect(self, session: AsyncSession) -> None:
        """Take a connection now, so that whatever goes wrong with that is told apart from the work itself."""
        try:
            await session.connection()
        except (*UNREACHABLE, SQLAlchemyError, asyncpg.PostgresError) as error:
            raise NoDatabase(type(error).__name__) from error

    async def close(self) -> None:
        await self.engine.dispose()
        await self.health.dispose()
        self.pool.terminate()


def _engine(settings: Settings, size: int, burst: int) -> AsyncEngine:
    return create_async_engine(
        settings.sqlalchemy_url(),
        pool_size=size,
        max_overflow=burst,
        pool_pre_ping=True,
        pool_timeout=ACQUIRE_SECONDS,
        hide_parameters=True,  # an error is logged and becomes a header: no names and addresses in it
        connect_args={"server_settings": _server_settings(settings), **TIMEOUTS},
    )


def _server_settings(settings: Settings) -> dict[str, str]:
    return SERVER_SETTINGS | {"application_name": settings.service}


class NoDatabase(Exception):
    """The database cannot be reached, lets nobody in, or was lost before it answered: the same will do later."""


UNREACHABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    SQLAlchemyTimeoutError,
)
"""What connecting and talking raise when the other end is away. A time-out is an `OSError`; the internal error is asyncpg's own confusion
about a connection that goes in the middle of an exchange ("cannot switch to state 12; another operation is in progress"); SQLAlchemy's
time-out is that of a pool whose connections do not come back."""

DATABASE_LOST = (*UNREACHABLE, asyncpg.PostgresError)
"""What a session ends with that is cut, refused or silent: the next one may go well."""


class StatelessConnection(asyncpg.Connection):
    """A connection that carries no session state from one use to the next, and so is not reset when it is given back.

    The reset is a round trip of its own: a third of a hold's cost. Use the pool for single statements and plain transactions only;
    nothing that outlives them (SET, LISTEN, session locks, temporary tables).
    """

    def get_reset_query(self) -> str:
        return ""
