"""The table that people read, from the JSON that programs read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

HEAD = ("", "What", "Figure", "Bound or peer", "Ratio (spread)", "Target", "Met", "Others used")
MET = {True: "yes", False: "**no**", None: ""}


def markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """`results` as in `docs/benchmarks.json`: by the letter of the case."""
    rows = [HEAD, tuple("---" for _ in HEAD), *_rows(results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def text(results: Mapping[str, Mapping[str, Any]]) -> str:
    """For a terminal: columns as wide as they must be."""
    rows = [HEAD, *((cell.replace("**", "") for cell in row) for row in _rows(results))]
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in table
    )


def _rows(results: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, ...]]:
    for case in sorted(results):
        for line in results[case]["lines"]:
            yield (
                case,
                line["what"],
                _figure(line["figure"], line["unit"]),
                _peer(line),
                _ratio(line),
                (line["target"] or "").replace("at least", "≥").replace("at most", "≤").removeprefix("figure "),
                MET[line["met"]],
                f"{results[case]['circumstances']['others_used_percent']} %",
            )


def _peer(line: Mapping[str, Any]) -> str:
    if line["peer"] is None:
        return ""
    return f"{line['peer']}: {_figure(line['peer_figure'], line['unit'])}"


def _ratio(line: Mapping[str, Any]) -> str:
    if line["ratio"] is None:
        return ""
    return f"{line['ratio']:.2f} ({line['ratio_low']:.2f} to {line['ratio_high']:.2f})"


def _figure(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
