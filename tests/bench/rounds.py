"""Two things measured in turn, round by round in one run: a machine that grows slower meanwhile is slower for both.

What counts is the ratio within a round, and of all rounds the median.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Self

Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Series:
    """One figure, once for each round."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def over(self, other: Series) -> Series:
        """Ours divided by theirs, round by round."""
        return Series.of(ours / theirs for ours, theirs in zip(self.values, other.values, strict=True))


async def interleaved(rounds: int, sides: Mapping[str, Measure]) -> dict[str, Series]:
    """Every side once in each round, in turns forwards and backwards, so that none always follows the same other."""
    values: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            values[name].append(await sides[name]())
    return {name: Series.of(found) for name, found in values.items()}


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__trunc__() - 1)]
