"""One line of the table: a figure of ours, the bound or peer that was measured beside it, and whether what was promised is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tests.bench.rounds import Series


@dataclass(frozen=True)
class Target:
    """What the ratio, or the figure itself, must be at least or at most."""

    of: Literal["ratio", "figure"]
    way: Literal["at least", "at most"]
    bound: float

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.way == "at least" else value <= self.bound


def ratio_at_least(bound: float) -> Target:
    return Target("ratio", "at least", bound)


def ratio_at_most(bound: float) -> Target:
    return Target("ratio", "at most", bound)


def at_least(bound: float) -> Target:
    return Target("figure", "at least", bound)


def at_most(bound: float) -> Target:
    return Target("figure", "at most", bound)


@dataclass(frozen=True)
class Line:
    """`unit` is that of figure and peer alike. A line without a target is there to be known."""

    what: str
    unit: str
    figure: Series
    peer: str | None = None
    beside: Series | None = None
    """The peer's figures, of the same rounds."""
    target: Target | None = None

    @property
    def ratio(self) -> Series | None:
        return self.figure.over(self.beside) if self.beside else None

    @property
    def is_met(self) -> bool | None:
        """`None` where nothing was promised."""
        if self.target is None:
            return None
        judged = self.ratio if self.target.of == "ratio" else self.figure
        assert judged is not None, f"{self.what}: a ratio is promised, and there is no peer"
        return self.target.is_met(judged.median)

    def told(self) -> dict[str, Any]:
        """As JSON. Medians first; `rounds` has every single figure."""
        rounds = {"figure": self.figure.values} | ({"peer": self.beside.values} if self.beside else {})
        return {
            "what": self.what,
            "unit": self.unit,
            "figure": self.figure.median,
            "peer": self.peer,
            "peer_figure": self.beside.median if self.beside else None,
            "ratio": self.ratio.median if self.ratio else None,
            "ratio_low": self.ratio.low if self.ratio else None,
            "ratio_high": self.ratio.high if self.ratio else None,
            "target": f"{self.target.of} {self.target.way} {self.target.bound:g}" if self.target else None,
            "met": self.is_met,
            "rounds": {name: [round(value, 6) for value in values] for name, values in rounds.items()},
        }
