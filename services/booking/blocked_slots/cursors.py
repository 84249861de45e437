"""Where a page ended: a start and an id, opaque to clients."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.booking.blocked_slots.domain import BlockedSlot
from services.chassis.cursors import CursorNotValid


@dataclass(frozen=True)
class Cursor:
    position: tuple[datetime, UUID]

    @classmethod
    def behind(cls, block: BlockedSlot) -> Cursor:
        return cls((block.span.starts_at, block.id))

    @classmethod
    def read(cls, text: str) -> Cursor:
        try:
            starts_at, _, block_id = base64.urlsafe_b64decode(text).decode().partition(" ")
            position = (datetime.fromisoformat(starts_at), UUID(block_id))
        except (ValueError, binascii.Error) as error:
            raise CursorNotValid("This cursor is not one of ours: start at the first page.") from error
        if position[0].tzinfo is None:
            raise CursorNotValid("This cursor is not one of ours: start at the first page.")
        return cls(position)

    def __str__(self) -> str:
        starts_at, block_id = self.position
        return base64.urlsafe_b64encode(f"{starts_at.isoformat()} {block_id}".encode()).decode()
