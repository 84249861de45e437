"""`python -m tests.simulation`: thousands of lives of the three services, each from its seed, on a PostgreSQL of its own.

--seeds 5000        so many, from --first on
--seconds 60        or for so long
--replay FILE       one plan that was written down before
--mutant NAME       with a defect put into the product, to see whether it is found

Leaves a folder below `.courtside/simulation`: the first plan of each worker that failed, shrunk, and, of lives that are neither lived again
nor spoilt, a report for `make proof RUN=<folder>`.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from datetime import UTC, datetime

from tests.simulation.fleet import end_kindly_when_told, home, sail
from tests.simulation.mutants import MUTANTS
from tests.working_tree import commit


def main() -> int:
    asked = _arguments().parse_args()
    first = secrets.randbelow(1_000_000) if asked.first is None else asked.first
    if not asked.replay:
        print(f"seeds from {first} on", flush=True)  # noqa: T201 - a command
    options = {
        name: getattr(asked, name) for name in ("seeds", "seconds", "workers", "replay", "mutant", "until_found")
    }
    tree, began = commit(), datetime.now(UTC)
    folder = home() / f"from-{first}-{began:%Y%m%d-%H%M%S}"
    end_kindly_when_told()
    report = asyncio.run(sail(first, folder, **options))
    print(report.summary())  # noqa: T201
    if report.verdicts and not asked.replay and not asked.mutant:
        report.write(folder, commit=tree, date=f"{began:%Y-%m-%d}", first=first)
        print(f"for the ledger: make proof RUN={folder}")  # noqa: T201
    return 0 if report.clean else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--first", type=int, help="the first seed; by chance without it")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replay", default="", metavar="FILE")
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS])
    parser.add_argument("--until-found", action="store_true", help="no further once something is found")
    return parser


if __name__ == "__main__":
    sys.exit(main())
