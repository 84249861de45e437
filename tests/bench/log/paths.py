"""Where the time between two spans of one trace went: the way from the last to the first, by who began whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.otlp import Told


@dataclass(frozen=True)
class Step:
    """From the beginning of one span to the beginning of the next on the way; of the last, to its end."""

    name: str
    took_ms: float


def path(spans: Iterable[Told], last: Told) -> list[Told]:
    """From the root of the trace, all of whose spans these are, to `last`."""
    known = {span.span_id: span for span in spans}
    way = [last]
    while parent := known.get(way[-1].parent_id):
        way.append(parent)
    return way[::-1]


def steps(way: Sequence[Told], prefix: str) -> list[Step]:
    """`prefix` is that of the topics, which says nothing to a reader."""
    begins = [span.began_at for span in way]
    ends = [*begins[1:], way[-1].ended_at]
    return [
        Step(f"{span.service}: {span.name.replace(prefix, '')}", (end - begin) * 1000)
        for span, begin, end in zip(way, begins, ends, strict=True)
    ]
