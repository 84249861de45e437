from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.chassis import cursors
from services.chassis.cursors import CursorNotValid

SHAPE = TypeAdapter(tuple[int, str])
MINE = {"status": ["held"], "caller": "anna"}


@given(st.tuples(st.integers(-(2**53), 2**53), st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_cursor_gives_back_the_position(position: tuple[int, str]) -> None:
    assert cursors.decode(cursors.encode(position, MINE), MINE, SHAPE) == position


def test_a_cursor_fits_into_an_address() -> None:
    cursor = cursors.encode((1, "¿dónde?>>>???"), MINE)
    assert cursor.isascii()
    assert set("+/=&?#%") & set(cursor) == set()


@pytest.mark.parametrize("others", [{}, {"status": ["held"], "caller": "bert"}, {"status": [], "caller": "anna"}])
def test_a_cursor_does_not_continue_another_list(others: dict[str, Any]) -> None:
    with pytest.raises(CursorNotValid):
        cursors.decode(cursors.encode((1, "a"), others), MINE, SHAPE)


def packed(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "x",
        "é",
        "%%%%",
        "AAAA",
        packed(),
        packed(1),
        packed(9, "x", 1, "a"),
        packed(1, "x", 1, "a"),
        packed([]),
        "bnVsbA",
    ],
)
def test_a_forged_cursor_is_refused(forged: str) -> None:
    with pytest.raises(CursorNotValid):
        cursors.decode(forged, MINE, SHAPE)


@given(st.text(max_size=60))
def test_no_text_at_all_is_more_than_refused(text: str) -> None:
    with pytest.raises(CursorNotValid):
        cursors.decode(text, MINE, SHAPE)
