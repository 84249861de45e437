"""`python -m tests.faults.checker RUN_FOLDER`: 0 clean, 1 violations, 2 could not check."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.faults.checker.checking import check
from tests.faults.checker.errors import CouldNotCheck


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    try:
        verdict = asyncio.run(check(Path(sys.argv[1])))
    except CouldNotCheck as error:
        print(f"could not check: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(verdict.table())  # noqa: T201
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
