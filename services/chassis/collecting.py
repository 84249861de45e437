"""The garbage collector of a process that serves: what it has once it is set up stays, and need not be looked at again.

A full collection walks every object of the process. With all modules, routes and schemas among them it takes 150 to 200 ms, in which no
request is answered and no beat leaves: a hundred times a hold.
"""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 50)
"""Objects more than were freed, then collections of the generation before (CPython's own: 700, 10, 10). Almost all that a request makes is
freed by its reference count; ten thousand objects are a few megabytes."""


def begin() -> None:
    """Once everything is set up. It may be called again. What is frozen is still freed once nobody refers to it, but in a circle never."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
