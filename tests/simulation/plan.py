"""What is going to happen in one run, written down before it begins: steps drawn from a seed, that can be kept, cut and played again.

A step names what it is about by a number that counts among whatever there is when its turn comes. So each step means something wherever
it stands, and a failing plan from which steps were taken out is a plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

STEPS = 80
"""Some fifteen bookings' worth. Longer plans find no more for the same time: what goes wrong needs few steps, at the right moments."""
OPENING = ("hold", "hold", "work", "hold", "work", "work", "pay")
"""So that there is soon something for the others to happen to."""
NUMBERS = 1 << 16
CRASHES_MAX = 4
"""Of all processes together: a record that was begun five times without an end is a dead letter, and rightly so."""


@dataclass(frozen=True, slots=True)
class Step:
    """`turns` is for how many turns what begins here goes on at once; after that it is left where it stands, and others go on."""

    kind: str
    numbers: tuple[int, ...] = ()
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`lose_webhooks` is what becomes of those that no step brought: lost, so that only the comparison with Polar is left.

    `restless` is a life whose providers still have their whims while everything comes to rest for the first time.
    """

    seed: int
    steps: tuple[Step, ...]
    lose_webhooks: bool = False
    restless: bool = False

    @classmethod
    def draw(cls, seed: int, length: int = STEPS) -> Plan:
        chance = Random(f"{seed}:plan")  # noqa: S311 - it must come out the same again
        lose_webhooks, restless = chance.random() < 0.3, chance.random() < 0.5
        kinds = [*OPENING, *chance.choices(list(DRAWN), list(WEIGHTS.values()), k=length - len(OPENING))]
        steps, crashes = [], 0
        for kind in kinds:
            crashes += kind in CRASHING
            if kind not in CRASHING or crashes <= CRASHES_MAX:
                steps.append(Step(kind, DRAWN[kind](chance), _turns(chance)))
        return cls(seed, tuple(steps), lose_webhooks, restless)

    def without(self, gone: range) -> Plan:
        kept = tuple(step for place, step in enumerate(self.steps) if place not in gone)
        return replace(self, steps=kept)

    def write(self, path: Path) -> str:
        steps = ",\n  ".join(json.dumps(asdict(step)) for step in self.steps)
        head = json.dumps({"seed": self.seed, "lose_webhooks": self.lose_webhooks, "restless": self.restless})
        told = f'{head[:-1]}, "steps": [\n  {steps}\n]}}\n'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told)
        return str(path)

    @classmethod
    def read(cls, path: Path | str) -> Plan:
        told = json.loads(Path(path).read_text())
        steps = (Step(one["kind"], tuple(one["numbers"]), one["turns"]) for one in told["steps"])
        return cls(told["seed"], tuple(steps), told["lose_webhooks"], told["restless"])


def _turns(chance: Random) -> int:
    """Most things go on to their end undisturbed; the others are held up where it hurts."""
    return 1_000 if chance.random() < 0.6 else chance.randrange(8)


def _numbers(count: int) -> Callable[[Random], tuple[int, ...]]:
    return lambda chance: tuple(chance.randrange(NUMBERS) for _ in range(count))


WEIGHTS: Mapping[str, float] = {
    # players and staff
    "hold": 13,
    "ask again": 4,
    "pay": 13,
    "cancel": 4,
    "move": 3,
    "block": 1.5,
    "unblock": 0.7,
    "erase": 0.5,
    # the services
    "relay": 7,
    "deliver": 12,
    "work": 24,
    "deliver again": 1.5,
    "copy": 1.5,
    "rebalance": 1,
    "go on": 10,
    "cron": 5,
    # the providers
    "webhook": 11,
    "lose webhook": 1.5,
    "bank": 1.5,
    "refund ends": 1.5,
    "provider fails": 3,
    "refunds take time": 0.7,
    "refund unasked": 0.4,
    "address bounces": 0.3,
    # what nobody wants
    "time": 4,
    "edge": 2,
    "kill": 2,
    "doom": 3,
}
CRASHING = ("kill", "doom")
DRAWN: Mapping[str, Callable[[Random], tuple[int, ...]]] = {kind: _numbers(4) for kind in WEIGHTS}
