"""The databases of a run: emptied in one statement each, and with their clock in our hands.

`now()` and `clock_timestamp()` of a statement are looked for along the search path; there they are found in a schema of ours, before
PostgreSQL's own. What the product's SQL asks for is the simulated time, without a word changed in it.
"""

from __future__ import annotations

from datetime import datetime

from services.chassis.database import SERVER_SETTINGS, TIMEOUTS, Database

KEPT = ("alembic_version", "venues", "courts", "opening_hours", "opening_exceptions", "price_rules")
"""The club itself."""
STEER = """
CREATE SCHEMA simulated;
CREATE TABLE simulated.clock (at timestamptz NOT NULL);
INSERT INTO simulated.clock VALUES ('2026-01-01 00:00Z');
CREATE FUNCTION simulated.now() RETURNS timestamptz VOLATILE LANGUAGE sql AS 'SELECT at FROM simulated.clock';
CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS 'SELECT at FROM simulated.clock';
DO $$ BEGIN
  EXECUTE format('ALTER DATABASE %I SET search_path = public, simulated, pg_catalog', current_database());
END $$;
"""
TABLES = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL($1)"


def wait_as_long_as_it_takes() -> None:
    """Deadlines of the machine's own time would have a busy machine decide what happens."""
    TIMEOUTS.update(timeout=300.0, command_timeout=300.0)
    SERVER_SETTINGS.update(statement_timeout="0", lock_timeout="0", idle_in_transaction_session_timeout="0")


async def steer_time(database: Database) -> None:
    """For connections made from now on."""
    if not await database.pool.fetchval("SELECT to_regnamespace('simulated') IS NOT NULL"):
        await database.pool.execute(STEER)
    await database.pool.expire_connections()
    await database.engine.dispose()


async def keep_time(database: Database, now: datetime) -> None:
    await database.pool.execute("UPDATE simulated.clock SET at = $1", now)


async def empty(database: Database) -> None:
    tables = await database.pool.fetchval(TABLES, KEPT)
    await database.pool.execute(f"TRUNCATE {tables} RESTART IDENTITY")
