"""A service on a host whose clock is wrong: `COURTSIDE_CLOCK_OFF_SECONDS=3600 python -m tests.faults.clock_off services.booking api`.

SIGUSR1 sets the clock to the other side of the right time: an hour ahead becomes an hour behind. What counts seconds between two
events is no clock that anybody sets, and goes on.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from datetime import UTC, datetime, timedelta

import time_machine

VARIABLE = "COURTSIDE_CLOCK_OFF_SECONDS"


def main() -> None:
    off = timedelta(seconds=float(os.environ[VARIABLE]))
    with time_machine.travel(datetime.now(UTC) + off, tick=True) as host:

        def jump(*_: object) -> None:
            nonlocal off
            host.shift(-2 * off)
            off = -off

        signal.signal(signal.SIGUSR1, jump)
        module, *arguments = sys.argv[1:]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()
