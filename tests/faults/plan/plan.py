"""What will be done and what will go wrong, written down before a run begins, so that the same can be played again."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

LONGEST_FACTOR = 2.0
"""A machine that does not keep up may take so many times the planned minutes, and visits go on all the while."""


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of a run that is the same however fast the machine is: the `count`-th `ok hold`, say.

    `at_latest_second` of the storm is when it comes about anyway, on a machine that is too slow; `second` is a moment by the clock.
    """

    after: str
    count: int
    at_latest_second: float

    def shown(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fault:
    """`row` is that of the catalogue. What the arguments mean is the kind's own matter; `target` is what it strikes."""

    kind: str
    row: int
    at: Point
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return str(self.arguments.get("target", ""))


@dataclass(frozen=True, slots=True)
class Operation:
    """One visit of somebody: the story that they live, who they are, and when they come at the soonest.

    `slot` counts through all slots that are free before the storm, and begins anew behind the last.
    """

    story: str
    player: int
    slot: int
    at_second: float
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    minutes: float
    operations: tuple[Operation, ...]
    faults: tuple[Fault, ...]

    def without(self, faults: Collection[int]) -> Plan:
        """The same plan, and these faults do not happen; by their numbers from 0 on."""
        return replace(self, faults=tuple(fault for number, fault in enumerate(self.faults) if number not in faults))

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> Plan:
        told = json.loads(file.read_text())
        operations = tuple(Operation(**each) for each in told["operations"])
        faults = tuple(Fault(**each | {"at": Point(**each["at"])}) for each in told["faults"])
        return cls(told["seed"], told["minutes"], operations, faults)
