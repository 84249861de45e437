from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One fault: how it is made, what must come of it, which invariants it is a danger to, and the tests that show it."""

    number: int
    fault: str
    made_by: str
    """How the tests bring it about."""
    expected: str
    invariants: str
    """Those of the checker that the fault is a danger to: `I1 I9`, or `all`."""
    proofs: tuple[str, ...]
    """`path::function`, below `tests/`."""
    not_shown: str = ""
    """What of the fault no test here shows, and why. A row without proofs says here why it has none."""
