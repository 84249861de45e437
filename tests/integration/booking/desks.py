"""Where players of the seeded club pay, and come back to see what became of their bookings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from services.booking.bookings import mutations
from tests.integration.booking.slots import a_free_slot
from tests.integration.booking.workers import Worker

if TYPE_CHECKING:
    from tests.integration.booking.conftest import Club  # which has this desk as a fixture


@dataclass(frozen=True)
class Desk:
    """The club, and the worker's half of the service in this process."""

    club: Club
    worker: Worker

    async def hold(self, player: str, slot: tuple[str, str] | None = None) -> dict[str, Any]:
        answer = await self.club.hold(player, *(slot or a_free_slot()))
        assert answer.status_code == 201, answer.text
        held: dict[str, Any] = answer.json()
        return held

    async def pay(self, booking: dict[str, Any], order_id: str | None = None, amount: int | None = None) -> None:
        await self.worker.pay(booking, order_id or str(uuid4()), amount)

    async def confirmed(self, player: str, slot: tuple[str, str] | None = None) -> dict[str, Any]:
        booking = await self.hold(player, slot)
        await self.pay(booking, f"order-of-{booking['id']}")
        return await self.read(booking, player)

    async def read(self, booking: dict[str, Any], player: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.club.ask("GET", f"/v1/bookings/{booking['id']}", player)).json()
        return found

    async def let_expire(self, booking: dict[str, Any]) -> None:
        await self.club.database.execute(
            "UPDATE bookings SET hold_expires_at = now() - interval '1 ms' WHERE id = $1", booking["id"]
        )

    async def sweep(self) -> None:
        async with self.worker.unit_of_work() as work:
            await mutations.expire_all(work, self.worker.catalogue)

    async def events(self, booking: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.club.database.fetch(
            "SELECT type, payload FROM outbox WHERE aggregateid = $1 ORDER BY seq", booking["id"]
        )
        return [(row["type"], json.loads(row["payload"])) for row in rows]

    async def story(self, booking: dict[str, Any]) -> list[str]:
        """What was told of a booking, in order; its versions must have no gap."""
        events = await self.events(booking)
        assert [data["version"] for _, data in events] == list(range(1, len(events) + 1))
        return [kind.removeprefix("booking.").removesuffix(".v1") for kind, _ in events]

    async def occupies(self, booking: dict[str, Any]) -> int:
        return await self.club.count("court_occupancy", f"booking_id = '{booking['id']}'")
