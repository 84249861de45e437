"""`courtside demo`: a booking from free slot to mail, or many of them, and what the ledgers and the topics say afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import httpx
import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from deploy import tokens
from deploy.broker import BrokerSettings
from deploy.events import Listener, Seen, listening
from deploy.local.environment import HOST, Paths, Ports
from deploy.local.errors import PartFailed, WrongEnvironment
from deploy.player import PATIENCE_SECONDS, DemoFailed, Player, Slot, Urls, free_slots
from services.booking.venues.seed import VENUE_ID
from services.chassis.kafka import KafkaSettings

EVENTS_OF_A_BOOKING = (
    "booking.held.v1",
    "payment.checkout_opened.v1",
    "payment.succeeded.v1",
    "booking.confirmed.v1",
    "notification.sent.v1",
)
MAIL = "booking-confirmed"
"""Of the mails of a booking, the one that the story ends with: one for a hold may come before it, or be overtaken by it."""
LISTEN_SECONDS = 60.0
SPARE_SLOTS = 20
"""More slots than bookings, since others may book at the same time."""


@dataclass(frozen=True)
class Booked:
    booking_id: str
    slot: Slot
    mail: dict[str, Any]
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class Demo:
    urls: Urls
    broker: KafkaSettings
    paths: Paths
    console: Console
    needs_broker: bool = True
    """Else a broker that cannot be reached only means that no events are told."""
    patience_seconds: float = PATIENCE_SECONDS

    async def one(self) -> dict[str, Any]:
        """One booking, step by step. The object that `--json` prints."""
        async with self._client(1) as client, self._listening() as listener:
            booked = await self._book(client, await free_slots(client, self.urls.booking, str(VENUE_ID), 1), loud=True)
            events = await self._events(listener, {booked.booking_id})
        timings = {f"{name}_ms": value for name, value in booked.timings_ms.items()}
        return {"booking_id": booked.booking_id, **timings, "events": events}

    async def many(self, count: int, concurrency: int) -> dict[str, Any]:
        """Many players at once. Charges and mails are counted in the providers' own ledgers, events on the topics."""
        started = time.perf_counter()
        async with self._client(concurrency) as client, self._listening() as listener:
            slots = await free_slots(client, self.urls.booking, str(VENUE_ID), count + SPARE_SLOTS)
            places = asyncio.Semaphore(concurrency)

            async def play() -> str:
                async with places:
                    return (await self._book(client, slots, loud=False)).booking_id

            outcomes = await asyncio.gather(*(play() for _ in range(count)), return_exceptions=True)
            booked = {outcome for outcome in outcomes if isinstance(outcome, str)}
            for failure in (outcome for outcome in outcomes if not isinstance(outcome, str)):
                self.console.print(f"[red]one booking failed:[/red] {failure}")
            events = await self._events(listener, booked)
            charges, mails = await self._ledgers(client, booked)
        elapsed = round(time.perf_counter() - started, 2)
        counts = {"charges": charges, "mails": mails, "events": None if events is None else len(events)}
        return {"count": count, "confirmed": len(booked), **counts, "elapsed_s": elapsed}

    async def _book(self, client: httpx.AsyncClient, slots: list[Slot], *, loud: bool) -> Booked:
        email = f"player-{secrets.token_hex(6)}@example.com"
        token = tokens.mint(self.paths.keys, email, "Ana Ruiz", locale="es")
        player = Player(client, self.urls, email, token, self.patience_seconds)
        say = self._say(player) if loud else lambda *_: None
        booking_id, slot = await player.step("held", player.hold(slots))
        say(
            "held",
            f"{slot.court_name}, {slot.starts_at}, {slot.amount_minor / 100:.2f} {slot.currency}: booking {booking_id}",
        )
        page = await player.step("checkout", player.open_checkout(booking_id))
        say("checkout", f"the payment page is open: {page}")
        await player.step("paid", player.pay(page))
        say("paid", "Pay was pressed")
        await player.step("confirmed", player.await_confirmation(booking_id))
        say("confirmed", "the booking is confirmed")
        mail = await player.step("mail", player.read_mail(booking_id, MAIL))
        say("mail", f"“{mail['subject']}” for {email}: {self.urls.resend}/mails/{mail['id']}")
        return Booked(booking_id, slot, mail, player.timings_ms)

    def _say(self, player: Player) -> Any:
        def say(step: str, sentence: str) -> None:
            self.console.print(
                f"[green]✓[/green] [bold]{step:<9}[/bold] {player.timings_ms[step]:>8.1f} ms  {sentence}",
                soft_wrap=True,
            )

        return say

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[Listener | None]:
        """None where no broker answers and none is needed."""
        async with AsyncExitStack() as stack:
            try:
                listener = await stack.enter_async_context(listening(self.broker))
            except KafkaError:
                if self.needs_broker:
                    raise
                told = f"no broker answers at {self.broker.kafka_bootstrap}: the events are not shown"
                self.console.print(f"[yellow]{told}[/yellow]", soft_wrap=True)
                listener = None
            yield listener

    async def _events(self, listener: Listener | None, booking_ids: set[str]) -> list[dict[str, Any]] | None:
        """Read until each booking has told its whole story; None without a broker."""
        if listener is None:
            return None
        deadline = time.monotonic() + LISTEN_SECONDS
        wanted = len(booking_ids) * len(EVENTS_OF_A_BOOKING)
        while len(found := [event for event in listener.of(booking_ids) if _is_told(event)]) < wanted:
            if time.monotonic() > deadline:
                raise DemoFailed(f"{len(found)} events came on the topics, {wanted} were expected")
            await listener.poll()
        return [asdict(event) for event in found]

    async def _ledgers(self, client: httpx.AsyncClient, booking_ids: set[str]) -> tuple[int, int]:
        ledger = (await client.get(f"{self.urls.polar}/_admin/ledger")).json()["entries"]
        charges = [e for e in ledger if e["kind"] == "charge" and e["metadata"].get("booking_id") in booking_ids]
        mails = (await client.get(f"{self.urls.resend}/_admin/emails")).json()["emails"]
        tags = [{tag["name"]: tag["value"] for tag in mail["tags"]} for mail in mails]
        return len(charges), sum(tag.get("booking_id") in booking_ids and tag.get("kind") == MAIL for tag in tags)

    def _client(self, concurrency: int) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=concurrency * 2, max_keepalive_connections=concurrency * 2)
        return httpx.AsyncClient(timeout=10.0, limits=limits, follow_redirects=False, trust_env=False)


def _is_told(event: Seen) -> bool:
    return event.type in EVENTS_OF_A_BOOKING and event.data.get("kind", MAIL) == MAIL


def demo(
    count: Annotated[int, typer.Option(min=1, max=2000, help="How many bookings.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="How many players at once.")] = 10,
    gateway: Annotated[
        str, typer.Option(help="All over this one address, as `docker compose` serves it: http://localhost:8080.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=1, help="How many seconds a player waits for one step.")
    ] = PATIENCE_SECONDS,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Book, pay and get the mail, as a player does it: over HTTP alone."""
    console = Console(stderr=as_json)
    parts = (_urls(gateway), BrokerSettings.read(), Paths.read(os.environ), console)
    play = Demo(*parts, needs_broker=not gateway, patience_seconds=patience)
    result = _played(play, count, concurrency)
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    elif count > 1:
        console.print(result)
    if count > 1 and not result["confirmed"] == result["charges"] == result["mails"] == count:
        raise typer.Exit(1)


def _urls(gateway: str) -> Urls:
    if not gateway:
        ports = Ports.read(os.environ)
        return Urls(*(f"http://{HOST}:{port}" for port in (ports.booking, ports.polar, ports.resend)))
    if not gateway.startswith(("http://", "https://")):
        raise WrongEnvironment(f"--gateway must be an address such as http://localhost:8080, not {gateway!r}")
    return Urls.behind(gateway)


def _played(play: Demo, count: int, concurrency: int) -> dict[str, Any]:
    try:
        return asyncio.run(play.one() if count == 1 else play.many(count, concurrency))
    except DemoFailed as error:
        raise PartFailed(str(error)) from error
    except KafkaError as error:
        where = f"no broker at {play.broker.kafka_bootstrap} ({type(error).__name__})"
        raise WrongEnvironment(f"{where}. Is `make up` running?") from error
