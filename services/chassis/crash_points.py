"""Named places where a process may be made to die, so that tests can show what its death there costs: nothing.

`COURTSIDE_CRASH_AT=relay.sent:2` ends the process, as by `kill -9`, when it comes to `relay.sent` for the second time. Without that
variable `reach` is an empty function, chosen once when the module is imported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

VARIABLE = "COURTSIDE_CRASH_AT"


def _nothing(point: str) -> None:
    del point


def _dying(wanted: str, passes: int) -> Callable[[str], None]:
    left = passes

    def die(point: str) -> None:
        nonlocal left
        left -= point == wanted
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def _chosen(told: str | None) -> Callable[[str], None]:
    if not told:
        return _nothing
    wanted, _, passes = told.partition(":")
    return _dying(wanted, int(passes or 1))


def refuse(environment: str) -> None:
    """Raises in production when a crash was asked for: a variable left over from a test must not end a real process."""
    if environment == "production" and os.environ.get(VARIABLE):
        raise CrashAskedFor(f"{VARIABLE} is for tests: unset it")


class CrashAskedFor(Exception):
    """A process in production was told to kill itself."""


reach = _chosen(os.environ.get(VARIABLE))
"""Called with the name of the place that the process has come to, a literal: a test finds all of them in the source."""
