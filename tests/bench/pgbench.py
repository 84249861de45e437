"""PostgreSQL's own benchmark program, with a statement of ours: what the database alone can do."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.environment import HOST
from deploy.local.postgres import Postgres
from tests.bench.load import output
from tests.bench.rounds import percentile

TPS = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)
FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Pgbench:
    """What one run of it told."""

    per_second: float
    latencies_ms: list[float]

    def percentile_ms(self, percent: float) -> float:
        return percentile(self.latencies_ms, percent)


async def pgbench(postgres: Postgres, database: str, role: str, script: str, clients: int, seconds: float) -> Pgbench:
    """Prepared statements, one connection for each client, over the same TCP as the service. Raises when a statement fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.sql").write_text(script)
        told = await output(
            str(postgres.binary("pgbench")),
            *(
                "--no-vacuum",
                "--protocol=prepared",
                "--log",
                "--define=i=0",
                f"--client={clients}",
                f"--time={max(1, round(seconds))}",
            ),
            *("--file=script.sql", f"--host={HOST}", f"--port={postgres.port}", f"--username={role}", database),
            environment={"PGPASSWORD": role},
            folder=folder,
        )
        latencies = _latencies_ms(folder)
    found, failed = TPS.search(told), FAILED.search(told)
    assert found, told
    assert failed, told
    assert int(failed[1]) == 0, told
    return Pgbench(float(found[1]), latencies)


def _latencies_ms(folder: Path) -> list[float]:
    """A line for each transaction: client, number, microseconds, …"""
    lines = [line for log in folder.glob("pgbench_log.*") for line in log.read_text().splitlines()]
    return [int(line.split(" ", 3)[2]) / 1000 for line in lines]
