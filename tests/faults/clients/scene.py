"""What every story of a run has around it: the system, the history, the slots, and people who are the same in every story."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx

from deploy import tokens
from tests.faults.clients.client import Client
from tests.faults.clients.history import History
from tests.faults.plan.planning import stream
from tests.faults.stack.clubs import CLUBS
from tests.faults.stack.system import System

TOKEN_SECONDS = 600.0
"""A token of fifteen minutes is renewed after ten."""
FIRST_DAY, DAYS, PAGE_DAYS = 1, 28, 14


@dataclass(frozen=True)
class Slot:
    venue_id: str
    court_id: str
    starts_at: str
    amount_minor: int
    currency: str

    @property
    def where(self) -> dict[str, str]:
        return {"court_id": self.court_id, "starts_at": self.starts_at}

    def hours_later(self, hours: float) -> str:
        return (datetime.fromisoformat(self.starts_at) + timedelta(hours=hours)).isoformat()


@dataclass
class Person:
    email: str
    name: str
    role: tokens.Role = tokens.Role.PLAYER
    token: str = ""
    token_made: float = float("-inf")

    @property
    def user_id(self) -> str:
        return str(tokens.user_id(self.email))


@dataclass
class Scene:
    system: System
    history: History
    pools: Sequence[httpx.AsyncClient]
    """Who a person is decides by which of them they come."""
    seed: int
    slots: list[Slot] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    hostile: set[str] = field(default_factory=set)
    """Ids of users who attack."""
    seen: list[str] = field(default_factory=list)
    """Ids of bookings of honest players."""
    broken_off: int = 0
    """Stories that could not go on, since no lever of a provider answered."""

    @property
    def canary(self) -> str:
        """A word of each name and address, which may be seen where these belong and nowhere else."""
        return f"kanari{self.seed:x}vogel"

    def person(self, stem: str, role: tokens.Role = tokens.Role.PLAYER) -> Person:
        email = f"{stem}.{self.canary}@example.com"
        return self.people.setdefault(stem, Person(email, f"{stem.title()} {self.canary.title()}", role))

    def client(self, person: Person) -> Client:
        if time.monotonic() - person.token_made > TOKEN_SECONDS:
            person.token = self.system.token(person.email, person.name, person.role)
            person.token_made = time.monotonic()
        http = self.pools[UUID(person.user_id).int % len(self.pools)]
        return Client(self.history, http, self.system.booking_url, person.user_id, person.token)

    def player(self, number: int) -> Client:
        return self.client(self.person(f"player{number}"))

    def staff(self) -> Client:
        return self.client(self.person("desk", tokens.Role.STAFF))

    def admin(self) -> Client:
        return self.client(self.person("head", tokens.Role.ADMIN))

    def chance(self, name: str) -> Random:
        return stream(self.seed, name)

    def slot(self, number: int) -> Slot:
        return self.slots[number % len(self.slots)]

    # Before the storm

    async def prepare(self) -> None:
        """All slots of all clubs, in the seed's own order; and one person who works at all of them."""
        for club in CLUBS:
            for first in range(FIRST_DAY, FIRST_DAY + DAYS, PAGE_DAYS):
                self.slots += await self._free(str(club.id), first)
        self.slots.sort(key=lambda slot: (slot.starts_at, slot.court_id))
        self.chance("slots").shuffle(self.slots)
        desk, admin = self.staff(), self.admin()
        await desk.ask("me", "GET", "/v1/me", arguments={})
        for club in CLUBS:
            path = f"/v1/venues/{club.id}/staff/{desk.user}"
            await admin.ask("hire", "PUT", path, arguments={"venue_id": str(club.id), "user_id": desk.user})

    async def _free(self, venue_id: str, first_day: int) -> list[Slot]:
        day = datetime.now(UTC).date() + timedelta(days=first_day)
        asked = {"venue_id": venue_id, "from": day.isoformat(), "days": str(PAGE_DAYS)}
        answer = await self.pools[0].get(f"{self.system.booking_url}/v1/availability", params=asked)
        answer.raise_for_status()
        return [slot for told in answer.json()["days"] for slot in _slots(venue_id, told)]


def _slots(venue_id: str, day: dict[str, Any]) -> list[Slot]:
    return [
        Slot(venue_id, court["court_id"], slot["starts_at"], slot["price"]["amount"], slot["price"]["currency"])
        for court in day["courts"]
        for slot in court["slots"]
    ]
