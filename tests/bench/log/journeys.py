"""A club whose players book at a steady rate, pay as soon as they can, and get their mails."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer

from courtside_contracts.envelope import Envelope
from courtside_contracts.payment import PaymentCheckoutOpened
from courtside_contracts.topics import PAYMENT_EVENTS
from deploy.local.environment import SERVICES
from deploy.player import Player, Slot, Urls, free_slots
from deploy.standins.clock import seconds
from deploy.tokens import mint
from services.booking.venues.seed import VENUE_ID
from tests.bench.log.waiting import until
from tests.stack import TestStack

NO_PACE = {"NOTIFICATIONS_RESEND_PER_SECOND": "1000"}
"""Resend grants five requests a second, and the wait for them is no figure of ours."""
CONFIRMED = "booking-confirmed"
SIGNED_IN_TOGETHER = 8

Checkouts = defaultdict[str, "asyncio.Future[str]"]
"""The payment page of each booking, once it is told of on Kafka."""


@dataclass(frozen=True)
class Journey:
    """One booking. Times in seconds since 1970, by the clock of one machine."""

    booking_id: str
    clicked_at: float
    payable_at: float
    paid_at: float
    mailed_at: float = 0.0

    @property
    def took_ms(self) -> float:
        return (self.mailed_at - self.clicked_at) * 1000


@dataclass(frozen=True)
class Club:
    stack: TestStack
    client: httpx.AsyncClient

    def url(self, part: str) -> str:
        return self.stack.installation.url(part)

    async def start(self, **told: str) -> None:
        """The three services anew, told this beside what they always are."""
        await asyncio.gather(*(self.stack.stop(service) for service in SERVICES))
        await asyncio.gather(*(self.stack.start(service, **NO_PACE, **told) for service in SERVICES))

    async def journeys(self, rate: float, bookings: int) -> list[Journey]:
        """So many, begun at this rate; returns when the last of their mails is taken."""
        slots = await free_slots(self.client, self.url("booking"), str(VENUE_ID), bookings)
        players = await self._known_players(bookings)
        async with self._checkouts() as checkouts:
            began, clicks = time.monotonic(), []
            for number, (player, slot) in enumerate(zip(players, slots[-bookings:], strict=True)):
                await asyncio.sleep(began + number / rate - time.monotonic())
                clicks.append(asyncio.create_task(_book_and_pay(player, slot, checkouts)))
            paid = await asyncio.gather(*clicks)
        return await self._mailed(paid)

    async def _known_players(self, number: int) -> list[Player]:
        """Not their first visit: the club has their profiles, and so have the others."""
        urls, keys = Urls(*map(self.url, ("booking", "polar", "resend"))), self.stack.installation.paths.keys
        emails = [f"player-{secrets.token_hex(6)}@example.com" for _ in range(number)]
        players = [Player(self.client, urls, email, mint(keys, email, "Ana Ruiz")) for email in emails]
        places = asyncio.Semaphore(SIGNED_IN_TOGETHER)

        async def sign_in(player: Player) -> None:
            token = {"Authorization": f"Bearer {player.token}"}
            async with places:
                (await self.client.get(f"{urls.booking}/v1/me", headers=token)).raise_for_status()

        await asyncio.gather(*map(sign_in, players))
        return players

    @asynccontextmanager
    async def _checkouts(self) -> AsyncIterator[Checkouts]:
        """From Kafka, as they are told: to ask over HTTP again and again would be a load of its own."""
        consumer = AIOKafkaConsumer(
            self.stack.installation.topic_prefix + PAYMENT_EVENTS.name, bootstrap_servers=self.stack.bootstrap
        )
        checkouts: Checkouts = defaultdict(asyncio.get_running_loop().create_future)
        await consumer.start()
        await consumer.seek_to_end()
        reading = asyncio.create_task(_read(consumer, checkouts))
        try:
            yield checkouts
        finally:
            reading.cancel()
            await consumer.stop()

    async def _mailed(self, paid: Sequence[Journey]) -> list[Journey]:
        """With the moment at which Resend's stand-in took the mail."""
        wanted = {journey.booking_id for journey in paid}
        await until(
            f"{len(wanted)} mails", lambda: self._confirmations(brief=True), lambda mails: wanted <= mails.keys()
        )
        mails = await self._confirmations(brief=False)
        return [replace(journey, mailed_at=seconds(mails[journey.booking_id]["created_at"])) for journey in paid]

    async def _confirmations(self, *, brief: bool) -> dict[str, dict[str, Any]]:
        """By booking. The brief ones are quickly told, and do not say when."""
        answer = await self.client.get(f"{self.url('resend')}/_admin/emails", params={"brief": brief})
        tagged = [({tag["name"]: tag["value"] for tag in mail["tags"]}, mail) for mail in answer.json()["emails"]]
        return {tags["booking_id"]: mail for tags, mail in tagged if tags["kind"] == CONFIRMED}


async def _book_and_pay(player: Player, slot: Slot, checkouts: Checkouts) -> Journey:
    clicked_at = time.time()
    booking_id, _ = await player.hold([slot])
    page = await checkouts[booking_id]
    payable_at = time.time()
    await player.pay(page)
    return Journey(booking_id, clicked_at, payable_at, time.time())


async def _read(consumer: AIOKafkaConsumer, checkouts: Checkouts) -> None:
    async for record in consumer:
        if Envelope.parse(record.headers).type == PaymentCheckoutOpened.type:
            opened = PaymentCheckoutOpened.model_validate_json(record.value)
            if not (told := checkouts[str(opened.booking_id)]).done():
                told.set_result(opened.checkout_url)
