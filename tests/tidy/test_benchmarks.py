"""The page of the benchmarks says no other than what was measured, and answers for what it misses."""

from __future__ import annotations

import re

from tests.bench import results
from tests.bench.__main__ import SIZES

PAGE = results.PAGE.read_text()
WHY = re.search(r"^## Targets that are not met, and why\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)


def test_the_table_is_what_was_measured() -> None:
    assert results.with_table(PAGE, results.kept()) == PAGE, "run `make bench`"


def test_a_target_that_is_missed_is_answered_for() -> None:
    missed = {case for case, told in results.kept().items() for line in told["lines"] if line["met"] is False}
    assert WHY
    assert missed - set(re.findall(r"^- \*\*(\w)\.\*\*", WHY[1], re.MULTILINE)) == set()


def test_a_plain_run_drops_none_of_the_books_that_the_page_has() -> None:
    sizes = {int(size.replace(",", "")) for size in re.findall(r"with ([\d,]+) bookings \|", PAGE)}
    assert sizes == {int(size) for size in SIZES.split(",")}
