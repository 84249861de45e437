"""Ports for the servers that tests start.

Runs go on side by side, and a run has several workers: each asks for its ports long before it binds them. So a port that was given out is
nobody else's until this process ends, by a lock on the byte of that number in one file of the user's.
"""

import fcntl
import os
import random
import tempfile
from functools import cache
from pathlib import Path

from deploy.local.ports import is_free

RESERVED = range(24_000, 32_000)
"""Below the range that systems hand to outgoing connections, which could take one at any moment."""

_given: set[int] = set()


def free_port() -> int:
    for port in random.sample(RESERVED, k=len(RESERVED)):
        if port not in _given and _reserved(port) and is_free(port):
            _given.add(port)
            return port
    raise AssertionError(f"no free port between {RESERVED.start} and {RESERVED.stop}")


def _reserved(port: int) -> bool:
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _reservations() -> int:
    """Open as long as the process lives: closing it anywhere in this process would give every port back."""
    return os.open(Path(tempfile.gettempdir()) / f"courtside-test-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT, 0o600)
