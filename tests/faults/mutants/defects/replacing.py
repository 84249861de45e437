"""How a defect is put in: from outside, in the place of a function of the product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """`make` is given what a module or class has under this name, and answers with what takes its place."""
    setattr(owner, name, make(getattr(owner, name)))


def every(count: int) -> Callable[[], bool]:
    """True each `count`-th time that it is asked."""
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return asked % count == 0

    return ask
