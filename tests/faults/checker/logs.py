"""Lines of the services' logs that say what must not be said. The stand-ins' logs are theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.checker.facts import Log

OTHERS = ("polar", "resend", "kafka", "zookeeper")
"""Not ours to keep quiet. PostgreSQL's is read: a statement that fails is logged there, and must not have an address in it."""
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}")
SECRET = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+|polar_oat_\w{6,}|whsec_\w{6,}|\bre_\w{12,}")


def is_loud(text: str, canaries: Sequence[str]) -> bool:
    return bool(ADDRESS.search(text) or SECRET.search(text) or any(canary in text for canary in canaries))


def loud_lines(folder: Path | None, canaries: Sequence[str]) -> Iterator[Log]:
    for file in sorted(folder.rglob("*.log")) if folder else ():
        if not file.name.startswith(OTHERS):
            yield from _of(file, canaries)


def _of(file: Path, canaries: Sequence[str]) -> Iterator[Log]:
    with file.open(errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if is_loud(line, canaries):
                yield Log(file.name, number, line.strip()[:300])
