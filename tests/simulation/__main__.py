"""`python -m tests.simulation`: thousands of lives of the three services, each from its seed, on a PostgreSQL of its own.

--seeds 5000        so many, from --first on
--seconds 60        or for so long
--replay FILE       one plan that was written down before
--mutant NAME       with a defect put into the product, to see whether it is found
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from tests.simulation.fleet import end_kindly_when_told, sail
from tests.simulation.mutants import MUTANTS


def main() -> int:
    asked = _arguments().parse_args()
    first = secrets.randbelow(1_000_000) if asked.first is None else asked.first
    if not asked.replay:
        print(f"seeds from {first} on", flush=True)  # noqa: T201 - a command
    options = {
        name: getattr(asked, name) for name in ("seeds", "seconds", "workers", "replay", "mutant", "until_found")
    }
    end_kindly_when_told()
    report = asyncio.run(sail(first, **options))
    print(report.summary())  # noqa: T201
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
