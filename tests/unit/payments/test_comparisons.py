"""From when on to compare with Polar, so that nothing is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.payments.reconciliation.domain import MARGIN, Compared, covered_until, since

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
IN_FULL = Compared(None, NOON)


def test_everything_is_compared_when_that_was_never_done_or_not_for_a_day() -> None:
    assert since([], NOON) is None
    assert since([Compared(NOON - HOUR, NOON)], NOON + HOUR) is None
    assert since([IN_FULL], NOON + 24 * HOUR) is None
    assert since([IN_FULL], NOON + 23 * HOUR) == NOON - MARGIN


def test_each_comparison_goes_on_where_the_one_before_it_began() -> None:
    assert covered_until([IN_FULL, Compared(NOON - HOUR, NOON + HOUR)]) == NOON + HOUR


def test_an_operators_comparison_of_the_last_minutes_hides_no_gap_before_it() -> None:
    recent = Compared(NOON + 4 * HOUR, NOON + 5 * HOUR)
    assert covered_until([IN_FULL, recent]) == NOON
    assert since([IN_FULL, recent], NOON + 6 * HOUR) == NOON - MARGIN
