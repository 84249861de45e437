"""Evenings on which something is away: what is begun on them, and what each booking has come to once it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.player import Player
from services.booking.venues.seed import VENUE_ID
from tests.e2e.observed.conftest import CONFIRMED, OUTAGE_SECONDS, Observed, until

VISIT_EVERY_SECONDS = 20.0
HELD, CANCELLED, REFUNDED = "booking-held", "booking-cancelled", "refund-done"


@dataclass(frozen=True)
class Outcome:
    """Of one booking: its state, the kinds of its mails, what Polar's ledger has, and whether money is left there."""

    status: str
    mails: tuple[str, ...]
    ledger: tuple[str, ...] = ()
    money_is_left: bool = False


STAYED = Outcome("held", (HELD,))
PAID = Outcome("confirmed", (CONFIRMED,), ("charge",), money_is_left=True)
FREE = Outcome("confirmed", (CONFIRMED,))
GIVEN_UP = Outcome("cancelled", (CANCELLED,))
PAID_BACK = Outcome("cancelled", (CANCELLED, CONFIRMED, REFUNDED), ("charge", "refund"))


@dataclass
class Evening:
    """What was begun while something was away. Holds last for a quarter of an hour: those that stay outlast ten minutes' outage.

    `regular` has paid before, and cancels now.
    """

    club: Observed
    regular: tuple[Player, str]
    began: float = field(default_factory=time.monotonic)
    held: list[tuple[Player, str]] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    async def life_goes_on(self, at_least_seconds: float = 0) -> None:
        """Reading, holding, cancelling and free confirming, from the first moment of the outage to its last."""
        ends = self.began + max(at_least_seconds, OUTAGE_SECONDS)
        await cancels(self.club, *self.regular)
        await self._visit()
        while (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(VISIT_EVERY_SECONDS, left))
            await self._visit()

    async def _visit(self) -> None:
        club = self.club
        reader, quitter, player = club.player(), club.player(), club.player()
        day = {"venue_id": str(VENUE_ID), "from": club.slots[0].starts_at[:10]}
        seen = await club.ask(reader, "GET", "/v1/availability", params=day)
        assert seen.status_code == 200, seen.text
        given_up, _ = await quitter.hold(club.slots)
        await cancels(club, quitter, given_up)
        self.given_up.append(given_up)
        held, _ = await player.hold(club.slots)
        read = await club.ask(player, "GET", f"/v1/bookings/{held}")
        assert read.json()["status"] == "held", read.text
        self.held.append((player, held))
        self.free.append(await club.book_free())

    async def the_last_pays(self) -> str:
        """Who came to hold a court last. The booking's id."""
        player, booking_id = self.held.pop()
        await pays(self.club, player, booking_id)
        self.paid.append(booking_id)
        return booking_id

    async def is_made_up_for(self) -> None:
        """The first and the last to hold a court pay; everybody is told, and nobody twice."""
        first_and_last = [self.held.pop(0), *self.held[-1:]]
        del self.held[-1:]
        for player, booking_id in first_and_last:
            await pays_and_is_told(self.club, player, booking_id)
            self.paid.append(booking_id)
        await self.ends_well()

    async def ends_well(self) -> None:
        """Each booking comes to what it must, and nothing more comes until nobody is alarmed."""

        async def comes_out() -> bool:
            return not await self._otherwise()

        with suppress(pytest.fail.Exception):  # it is told below what came instead
            await until("what each booking must come to", comes_out)
        assert not (wrong := await self._otherwise()), wrong
        await self.club.recovers()
        assert not (wrong := await self._otherwise()), wrong

    async def _otherwise(self) -> str:
        """The bookings that came to something else, a line for each."""
        due = dict(self._due())
        found = await outcomes(self.club, due.keys())
        return "\n".join(f"{one} must be {due[one]}, and is {found[one]}" for one in due if found[one] != due[one])

    def _due(self) -> Iterator[tuple[str, Outcome]]:
        yield self.regular[1], PAID_BACK
        yield from ((booking_id, STAYED) for _, booking_id in self.held)
        yield from ((booking_id, PAID) for booking_id in self.paid)
        yield from ((booking_id, FREE) for booking_id in self.free)
        yield from ((booking_id, GIVEN_UP) for booking_id in self.given_up)


async def regular(club: Observed) -> tuple[Player, str]:
    """Somebody who has paid for a court, and knows it."""
    player = club.player()
    booking_id, _ = await player.hold(club.slots)
    await pays_and_is_told(club, player, booking_id)
    return player, booking_id


async def pays(club: Observed, player: Player, booking_id: str) -> None:
    await player.pay(await player.open_checkout(booking_id))
    await player.await_confirmation(booking_id)
    assert (charges := await club.paid(booking_id)) == 1, charges


async def pays_and_is_told(club: Observed, player: Player, booking_id: str) -> None:
    await pays(club, player, booking_id)
    await player.read_mail(booking_id, CONFIRMED)


async def cancels(club: Observed, player: Player, booking_id: str) -> None:
    cancelled = await club.ask(player, "POST", f"/v1/bookings/{booking_id}/cancel", json={})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled"), cancelled.text


async def outcomes(club: Observed, booking_ids: Collection[str]) -> dict[str, Outcome]:
    """One look at each book, however many bookings there are."""
    mails = (await club.client.get(f"{club.url('resend')}/_admin/emails", params={"brief": True})).json()["emails"]
    entries = (await club.client.get(f"{club.url('polar')}/_admin/ledger")).json()["entries"]
    connection = await club.stack.postgres.connect(club.stack.installation.database("booking"))
    try:
        asked = "SELECT id::text, status FROM bookings WHERE id = ANY($1::uuid[])"
        states = {row["id"]: row["status"] for row in await connection.fetch(asked, list(booking_ids))}
    finally:
        await connection.close()
    tags = [{tag["name"]: tag["value"] for tag in mail["tags"]} for mail in mails]
    return {
        one: _outcome(
            states[one],
            [tag["kind"] for tag in tags if tag.get("booking_id") == one],
            [entry for entry in entries if entry["metadata"].get("booking_id") == one],
        )
        for one in booking_ids
    }


def _outcome(status: str, mails: list[str], entries: Sequence[dict[str, Any]]) -> Outcome:
    """Later news may have overtaken the mail about the hold, or not: one of it counts for nothing then, and a second one does."""
    if status != "held" and HELD in mails:
        mails.remove(HELD)
    ledger = tuple(entry["kind"] for entry in entries)
    balance = sum(entry["amount"] * (-1 if entry["kind"] == "refund" else 1) for entry in entries)
    return Outcome(status, tuple(sorted(mails)), ledger, money_is_left=balance != 0)
