"""What a benchmark says of two things that were measured in turn."""

from __future__ import annotations

import pytest

from tests.bench import results, table
from tests.bench.lines import Line, at_most, ratio_at_least
from tests.bench.rounds import Series, interleaved, percentile


async def test_a_machine_that_grows_slower_is_slower_for_both_and_the_ratio_stays() -> None:
    speed = iter([100.0, 50.0, 10.0, 20.0, 4.0, 2.0])  # forwards, backwards, forwards

    async def measure() -> float:
        return next(speed)

    found = await interleaved(3, {"ours": measure, "peer": measure})
    assert found["ours"].values == (100, 20, 4)
    assert found["peer"].values == (50, 10, 2)
    assert found["ours"].over(found["peer"]).values == (2, 2, 2)


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (99.9, 100), (100, 100), (0.1, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile(range(1, 101), percent) == expected


def test_a_promise_is_judged_by_the_median() -> None:
    ours, peer = Series.of([70, 60, 90]), Series.of([100, 100, 100])
    assert Line("holds", "/s", ours, "pgbench", peer, ratio_at_least(0.7)).is_met
    assert not Line("holds", "/s", ours, "pgbench", peer, ratio_at_least(0.71)).is_met
    assert not Line("p99", "ms", ours, target=at_most(69)).is_met
    assert Line("memory", "MiB", ours).is_met is None


def test_the_page_shows_what_was_measured_and_keeps_its_text() -> None:
    line = Line("holds", "/s", Series.of([2000.0]), "pgbench", Series.of([2500.0]), ratio_at_least(0.7))
    measured = {"a": {"lines": [line.told()], "circumstances": {"others_used_percent": 3}}}
    page = "Before.\n<!-- table, written by `make bench` -->\nyesterday\n<!-- end of table -->\nAfter.\n"
    shown = results.with_table(page, measured)
    assert shown.startswith("Before.\n")
    assert shown.endswith("After.\n")
    assert "| a | holds | 2,000 /s | pgbench: 2,500 /s | 0.80 (0.80 to 0.80) | ratio ≥ 0.7 | yes | 3 % |" in shown
    assert "yesterday" not in shown
    assert "ratio ≥ 0.7" in table.text(measured)
