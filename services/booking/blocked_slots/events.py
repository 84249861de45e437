"""Domain to contract: the only translation."""

from __future__ import annotations

from courtside_contracts.court import BlockedSlotEvent, SlotBlocked, SlotUnblocked
from services.booking.blocked_slots.domain import BlockedSlot
from services.booking.venues.domain import Court, Venue

VERSIONS: dict[type[BlockedSlotEvent], int] = {SlotBlocked: 1, SlotUnblocked: 2}
"""A block has two facts in its life."""


def tell(kind: type[BlockedSlotEvent], block: BlockedSlot, venue: Venue, court: Court) -> BlockedSlotEvent:
    return kind(
        blocked_slot_id=block.id,
        version=VERSIONS[kind],
        series_id=block.series_id,
        venue_id=venue.id,
        venue_name=venue.name,
        time_zone=venue.zone.key,
        court_id=court.id,
        court_name=court.name,
        starts_at=block.span.starts_at,
        ends_at=block.span.ends_at,
        reason=block.reason,
    )
