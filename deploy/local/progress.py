"""What `courtside up` does at the moment, a line for each step: moving on a terminal, one plain line at its end elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

NAME_WIDTH = 22


class Steps:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn(f"{{task.fields[name]:<{NAME_WIDTH}}}{{task.description}}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @contextmanager
    def step(self, name: str, doing: str, done: str) -> Iterator[Step]:
        task = self._live.add_task(doing, total=1, name=name)
        began = time.monotonic()
        outcome = "failed"
        try:
            yield Step(self._live, task)
            outcome = done
        except asyncio.CancelledError:
            outcome = "given up"
            raise
        finally:
            self._live.update(task, description=outcome, completed=1)
            if not self._console.is_terminal:
                self._console.print(
                    f"{name:<{NAME_WIDTH}}{outcome:<14}{time.monotonic() - began:5.1f} s", highlight=False
                )


@dataclass(frozen=True, slots=True)
class Step:
    _live: Progress
    _task: TaskID

    def say(self, doing: str) -> None:
        self._live.update(self._task, description=doing)
