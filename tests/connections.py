"""What a process may ask of its database."""

from __future__ import annotations

from services.chassis.database import BURST


def connections(pool_size: int) -> int:
    """At most: it has two pools, SQLAlchemy's grows by ten when it must, and relay, doorbell and health have one connection each."""
    return 2 * pool_size + BURST + 3
