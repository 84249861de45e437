"""From the question to the answer's bytes, once for all who ask the same at the same moment."""

from __future__ import annotations

from services.booking.availability.domain import Question
from services.booking.availability.queries import look
from services.booking.availability.representation import Body, body
from services.chassis.gathering import Sharing
from services.chassis.service import Chassis


class Answers:
    """A day that opens is looked at by hundreds at once: they cost one statement and one comparison of its rows, not hundreds."""

    def __init__(self, chassis: Chassis) -> None:
        self._chassis = chassis
        self._shared = Sharing(self._make)

    async def of(self, question: Question) -> Body:
        return await self._shared.answer(question)

    async def _make(self, question: Question) -> Body:
        return body(await look(self._chassis.database, question, self._chassis.clock.now()))
