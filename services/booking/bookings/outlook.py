"""What stands on a court from a wanted slot on: who cannot have that slot, for a hold or a move, is told the next ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from services.booking.availability.queries import Taken, coming_slots, free, taken
from services.booking.bookings.domain import SlotAlreadyTaken
from services.booking.venues.domain import Court, Slot, Venue
from services.chassis.gathering import Sharing
from services.chassis.service import Chassis

SUGGESTIONS = 3


@dataclass(frozen=True)
class Outlook:
    """`coming` are the slots that can be suggested, `occupancy` is what stands there. One round trip, off the fast path."""

    venue: Venue
    court: Court
    slot: Slot
    coming: list[Slot]
    occupancy: list[Taken]

    @classmethod
    async def look(cls, chassis: Chassis, venue: Venue, court: Court, slot: Slot) -> Self:
        now = chassis.clock.now()
        coming = coming_slots(venue, court, slot, now)
        return cls(venue, court, slot, coming, await taken(chassis.database, coming, now))

    @property
    def in_the_way(self) -> list[Taken]:
        return [one for one in self.occupancy if one.overlaps(self.slot)]

    @cached_property
    def next_free(self) -> list[str]:
        coming = free(self.coming, self.occupancy, limit=SUGGESTIONS)
        return [self.venue.local(slot.starts_at).isoformat() for slot in coming]

    def refusal(self) -> SlotAlreadyTaken:
        return SlotAlreadyTaken(
            f"{self.court.name} is taken at that time.",
            court_id=str(self.court.id),
            starts_at=self.venue.local(self.slot.starts_at).isoformat(),
            ends_at=self.venue.local(self.slot.ends_at).isoformat(),
            next_free_slots=self.next_free,
        )


class Outlooks:
    """The slot that everybody wants is refused to all but one: those who are told so at the same moment look together."""

    def __init__(self, chassis: Chassis) -> None:
        self._chassis = chassis
        self._shared = Sharing(self._look)

    async def of(self, venue: Venue, court: Court, slot: Slot) -> Outlook:
        """Never older than the question."""
        return await self._shared.answer((venue, court, slot))

    async def _look(self, wanted: tuple[Venue, Court, Slot]) -> Outlook:
        return await Outlook.look(self._chassis, *wanted)
