"""Believable clubs and their players. Pure: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

CITIES = (
    ("Madrid", "Europe/Madrid", "EUR", "es"),
    ("Lisboa", "Europe/Lisbon", "EUR", "pt"),
    ("Milano", "Europe/Rome", "EUR", "it"),
    ("Stockholm", "Europe/Stockholm", "SEK", "sv"),
    ("London", "Europe/London", "GBP", "en"),
    ("Buenos Aires", "America/Argentina/Buenos_Aires", "ARS", "es"),
    ("Miami", "America/New_York", "USD", "en"),
    ("Sydney", "Australia/Sydney", "AUD", "en"),
)
CLUBS = ("Pádel Club", "Tennis & Padel", "Racket Park", "Indoor Padel", "Sporting")
SURFACES = ("artificial turf", "artificial turf, indoor", "artificial turf, panoramic glass", "clay")
FIRST_NAMES = ("Ana", "Bruno", "Carla", "Diego", "Elsa", "Filippo", "Greta", "Hugo", "Inês", "Jonas", "Lucía", "Maja")
LAST_NAMES = ("García", "Silva", "Rossi", "Lindqvist", "Smith", "Fernández", "Moretti", "Costa", "Berg", "Walker")

HOUR_MINOR = 1600
"""Off-peak; a weekday evening costs half as much again."""
PLAYER_BOOKINGS = 20
"""Bookings of one player on average: a game every few weeks, for a year or two."""


class Player(NamedTuple):
    """The columns of `users`, by name."""

    id: UUID
    email: str
    name: str
    locale: str
    role: str
    version: int
    created_at: datetime


@dataclass(frozen=True)
class Club:
    """One of the clubs of a seed, by its number from 0 on."""

    seed: int
    number: int

    @property
    def id(self) -> UUID:
        return random_uuid(self.chance("club"))

    def chance(self, subject: str) -> random.Random:
        """A stream of its own for each subject, so that one can change without the others."""
        return random.Random(f"{self.seed} {self.number} {subject}")  # noqa: S311 - no secret, and must come again

    def venue(self) -> dict[str, Any]:
        city, zone, currency, _ = self._city
        return {
            "id": self.id,
            "name": f"{CLUBS[self.number % len(CLUBS)]} {city} {self.number + 1}",
            "time_zone": zone,
            "currency": currency,
            "hold_minutes": 15,
            "cancellation_window_hours": 24,
            "max_active_bookings": 2,
            "booking_horizon_days": 30,
        }

    def opening_hours(self) -> list[dict[str, Any]]:
        return [{"venue_id": self.id, "weekday": day, "opens": time(8), "closes": time(23)} for day in range(7)]

    def courts(self) -> list[dict[str, Any]]:
        chance = self.chance("courts")
        return [
            {
                "id": random_uuid(chance),
                "venue_id": self.id,
                "name": f"Court {number}",
                "surface": chance.choice(SURFACES),
                "slot_minutes": self._slot_minutes,
                "active": True,
            }
            for number in range(1, chance.randint(4, 8) + 1)
        ]

    def price_rules(self) -> list[dict[str, Any]]:
        chance, off_peak = self.chance("prices"), HOUR_MINOR * self._slot_minutes // 60
        every_day, weekdays = list(range(7)), list(range(5))
        bands = ((every_day, time.min, time.min, off_peak, 0), (weekdays, time(18), time(22), off_peak * 3 // 2, 10))
        return [
            {
                "id": random_uuid(chance),
                "venue_id": self.id,
                "weekdays": days,
                "starts": starts,
                "ends": ends,
                "price_minor": price_minor,
                "priority": priority,
            }
            for days, starts, ends, price_minor, priority in bands
        ]

    def players(self, bookings: int, now: datetime) -> Iterator[Player]:
        """As many as make so many bookings."""
        chance = self.chance("players")
        for number in range(bookings // PLAYER_BOOKINGS + 10):
            email = f"player{number}@club{self.number}.seed{self.seed}.example"
            name = f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"
            joined = now - timedelta(days=chance.randint(1, 2000))
            yield Player(random_uuid(chance), email, name, self._city[3], "player", 1, joined)

    @property
    def _city(self) -> tuple[str, str, str, str]:
        return CITIES[self.number % len(CITIES)]

    @property
    def _slot_minutes(self) -> int:
        return (90, 60)[self.number % 2]


def random_uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)
