"""`court.events`: what a club does with its courts. Key: `court_id`."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from courtside_contracts import topics
from courtside_contracts.envelope import Event


class BlockedSlotEvent(Event):
    """The whole block as it is after the fact: nobody can book the court for `[starts_at, ends_at)`.

    A booking that the club kept goes on inside a block, and is told of in `booking.events`. Instants are UTC; `time_zone` (IANA) is the
    venue's. Blocks that were made together have one `series_id`. `version` is 1 when the block is made and 2 when it is gone.
    `reason` is what the club tells everyone. No personal data.
    """

    topic: ClassVar[str] = topics.COURT_EVENTS.name
    source: ClassVar[str] = "/courtside/booking"

    blocked_slot_id: UUID
    version: int = Field(ge=1)
    series_id: UUID
    venue_id: UUID
    venue_name: str
    time_zone: str
    court_id: UUID
    court_name: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str

    @property
    def key(self) -> str:
        return str(self.court_id)


class SlotBlocked(BlockedSlotEvent):
    """The club took this time of a court for itself."""

    type: ClassVar[str] = "slot.blocked.v1"


class SlotUnblocked(BlockedSlotEvent):
    """The club gave this time back: what is not booked, nor under another block, can be booked again."""

    type: ClassVar[str] = "slot.unblocked.v1"
