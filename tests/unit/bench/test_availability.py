"""Beside what the answer of a day is measured."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.booking.availability.domain import Question
from services.booking.availability.queries import OCCUPIED
from tests.bench.availability import ROWS, Look
from tests.unit.booking.clubs import CLUB

FOUND = {ROWS: 425, OCCUPIED: 25}
"""In the club of the bench, which has half of its fifty courts taken for seventeen hours."""


class Database:
    def __init__(self) -> None:
        self.pool, self.asked = self, list[str]()

    async def fetch(self, statement: str, *_: Any) -> list[None]:
        self.asked.append(statement)
        return [None] * FOUND[statement]


@pytest.mark.parametrize(("peer", "statement"), [("rows", ROWS), ("statement", OCCUPIED)])
async def test_a_peer_is_the_statement_that_its_name_says(peer: str, statement: str) -> None:
    database: Any = Database()
    await getattr(Look(database, Question(CLUB, date(2026, 11, 27), 1)), peer)()
    assert database.asked == [statement]
