"""`make bench`, or `python -m tests.bench --only a,f --rounds 5 --seconds 4`: measures, prints the table, keeps it in `docs/`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import uvloop

from tests.bench import bench, results, table
from tests.bench.cases import CASES
from tests.bench.neighbours import Neighbours

SIZES = "10000,1000000,10000000"
"""The three of the issue: a case keeps no figure of before, so who measures fewer of them drops the others from the page."""


def main() -> int:
    told = _arguments()
    measured = uvloop.run(_measure(told))
    print(table.text(measured))  # noqa: T201
    if not told.try_out:
        results.keep(measured)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default=",".join(CASES), help="letters of cases, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each side in each round")
    parser.add_argument("--bookings", default=SIZES, help="sizes of the books for case g; the largest takes minutes")
    parser.add_argument("--try-out", action="store_true", help="print the table, and keep nothing")
    told = parser.parse_args()
    told.only = [letter for letter in told.only.split(",") if letter]
    if unknown := [letter for letter in told.only if letter not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}. There are {', '.join(CASES)}")
    return told


async def _measure(told: argparse.Namespace) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    sizes = tuple(int(size) for size in told.bookings.split(","))
    for letter in told.only:
        around = bench.circumstances()
        print(f"{letter}: load average {around['load_average'][0]}", file=sys.stderr)  # noqa: T201
        async with bench.opened(told.rounds, told.seconds, sizes) as opened:
            neighbours = Neighbours()
            lines = await CASES[letter](opened)
            around["others_used_percent"] = round(neighbours.share_percent)
        measured[letter] = {"circumstances": around, "lines": [line.told() for line in lines]}
    return measured


if __name__ == "__main__":
    sys.exit(main())
