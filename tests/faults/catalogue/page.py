"""The catalogue for people: `docs/faults.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.faults.catalogue.row import Row

HEAD = """\
# Faults

What may go wrong, how the tests make it go wrong, what must come of it, and the tests that show it, below `tests/`. The invariants are
those of the independent checker (`tests/faults/checker`). Written by `python -m tests.faults.catalogue`; a test holds it to the code.

{proven} of {all} rows have tests of their own; what of a row they do not show stands under it.
"""


def page(rows: Sequence[Row]) -> str:
    proven = sum(bool(row.proofs) for row in rows)
    return "\n".join([HEAD.format(proven=proven, all=len(rows)), *(line for row in rows for line in _about(row))])


def _about(row: Row) -> Iterator[str]:
    yield f"## {row.number}. {row.fault}"
    yield f"- **made by** {row.made_by}"
    yield f"- **expected** {row.expected}"
    yield f"- **invariants** {row.invariants}"
    for proof in row.proofs:
        yield f"- `{proof}`"
    if row.not_shown:
        yield f"- **not shown** {row.not_shown}"
    yield ""
