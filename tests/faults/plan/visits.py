"""Who comes to the club, and how often. What they do there stands in `tests/faults/clients`, under the same name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Visit:
    story: str
    weight: int
    arguments: Callable[[Random], dict[str, Any]] = lambda _: {}
    new_players: float = 0.85
    """How many of them were never seen before; the others may have no seat left."""


def _afterwards(chance: Random) -> dict[str, Any]:
    return {"afterwards": chance.choices(("plays", "cancels", "moves", "cancels twice"), (58, 20, 15, 7))[0]}


VISITS = (
    Visit("pays", 40, _afterwards),
    Visit("never_pays", 14),
    Visit("pays_late", 5),
    Visit("pays_twice", 4),
    Visit("pays_a_wrong_amount", 3),
    Visit("pays_at_the_second_try", 3),
    Visit("gives_the_hold_back", 14),
    Visit("races_for_a_slot", 6, lambda chance: {"rivals": chance.randint(3, 8)}, new_players=1.0),
    Visit("asks_twice_at_once", 6),
    Visit("looks_around", 4),
    Visit(
        "blocks_a_court",
        3,
        lambda chance: {"over_bookings": chance.choice(("refuse", "cancel", "keep")), "hours": chance.randint(1, 4)},
    ),
    Visit("is_booked_by_staff", 14),
    Visit("is_hostile", 5, lambda chance: {"attack": chance.randrange(1_000)}, new_players=1.0),
)
