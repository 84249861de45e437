"""The parts' logs, each line after the name of its part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

FOLLOW_SECONDS = 0.2


def last_lines(logs: Path, names: Sequence[str], count: int) -> Iterator[tuple[str, str]]:
    for name in names:
        file = logs / f"{name}.log"
        if file.exists():
            lines = file.read_text(errors="replace").splitlines()
            for line in lines[max(len(lines) - count, 0) :]:
                yield name, line


def follow(logs: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """New lines as they come, until interrupted. A part that starts again begins a new file: that one is read from its beginning."""
    tails = [Tail(name, logs / f"{name}.log") for name in names]
    for tail in tails:
        tail.skip_what_is_there()
    try:
        while True:
            lines = [(tail.name, line) for tail in tails for line in tail.new_lines()]
            yield from lines
            if not lines:
                time.sleep(FOLLOW_SECONDS)
    finally:
        for tail in tails:
            tail.close()


class Tail:
    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._file: BinaryIO | None = None
        self._inode = 0
        self._unfinished = b""

    def skip_what_is_there(self) -> None:
        if self._open():
            self._read()

    def new_lines(self) -> list[str]:
        lines = self._read() if self._file else []
        return lines + self._read() if self._open() else lines

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _open(self) -> bool:
        """True when there is a file that was not open before; the former one has been read to its end by then."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return False
        if self._file and self._inode == inode:
            return False
        self.close()
        self._file, self._inode, self._unfinished = self._path.open("rb"), inode, b""
        return True

    def _read(self) -> list[str]:
        if self._file is None:
            return []
        *lines, self._unfinished = (self._unfinished + self._file.read()).split(b"\n")
        return [line.decode(errors="replace") for line in lines]
