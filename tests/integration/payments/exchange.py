"""Booking and payments in the test's own process, each on a database of its own, and Polar's stand-in behind them.

What one says, the other hears: rows of the outboxes become records of the pipelines that read their topics. Webhooks come through the
route, signed, and only when a test sends them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from aiokafka import ConsumerRecord
from sqlalchemy import select
from structlog.testing import capture_logs

from courtside_contracts.booking import BookingHeld
from courtside_contracts.payment import PaymentCheckoutOpened
from courtside_contracts.user import UserProfile
from services.booking.app import consumers as booking_consumers
from services.booking.bookings import mutations
from services.booking.bookings.outlook import Outlooks
from services.booking.bookings.queries import locked
from services.booking.venues.domain import Slot
from services.booking.venues.seed import court_id
from services.chassis.consuming import Consumers
from services.chassis.database import Database
from services.chassis.outbox import on_the_wire, outbox
from services.chassis.pipeline import Pipeline
from services.chassis.retrying import Ladder
from services.chassis.service import Chassis
from services.chassis.subscribing import Record
from services.payments.app import consumers as payments_consumers
from services.payments.checkouts import actions as checkouts
from services.payments.checkouts.domain import Intent, Quote
from services.payments.profiles.mutations import keep_profile
from tests.integration.booking.in_process import Office
from tests.integration.payments.builders import Payments, signed, webhook
from tests.integration.permuting import Tiers

REST = timedelta(seconds=0.2)
"""How long a refund whose call broke off is left alone, in place of a minute."""
WITHIN_SECONDS = 60
A_YEAR_ON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=365)


@dataclass
class Reader:
    """One service's consumers; what they put off comes again, as from its retry topics."""

    consumers: Consumers
    pipeline: Pipeline
    tiers: Tiers

    @classmethod
    def of(cls, chassis: Chassis, consumers: Consumers) -> Reader:
        pipeline = Pipeline(chassis.settings, consumers, chassis.unit_of_work, Ladder(chassis.settings.service))
        tiers = Tiers()
        pipeline.forwarder.producer = tiers
        return cls(consumers, pipeline, tiers)

    async def read(self, records: list[Record]) -> None:
        names = {topic.name for topic in self.consumers.topics}
        wanted = [one for one in records if one.topic in names] + self.put_off()
        if wanted:
            await self.pipeline.handle_batch(wanted)

    def put_off(self) -> list[Record]:
        waiting = [record for records in self.tiers.waiting.values() for record in records]
        self.tiers.waiting.clear()
        return waiting


@dataclass
class Visit:
    """A player with a held slot, and what came of it."""

    booking_id: UUID
    user_id: UUID
    slot: Slot
    email: str
    checkout_id: str = ""
    url: str = ""


@dataclass
class Exchange:
    office: Office
    payments: Payments
    booking: Reader
    paying: Reader
    read_up_to: dict[str, int] = field(default_factory=dict)
    hours: Any = field(default_factory=itertools.count)

    @classmethod
    @asynccontextmanager
    async def open(cls, office: Office, payments: Payments) -> AsyncIterator[Exchange]:
        booking = Reader.of(office.chassis, booking_consumers(office.catalogue))
        paying = Reader.of(payments.chassis, payments_consumers(payments.polar, REST))
        exchange = cls(office, payments, booking, paying)
        await exchange.forget_what_was_said()  # it concerns other tests
        with capture_logs():  # to render the traces of so many tries takes longer than all the rest
            yield exchange

    # What players and the club do

    async def hold(self, slot: Slot | None = None) -> Visit:
        """A slot is held, and its player has a page to pay at."""
        visit = await self.hold_unheard(slot)
        await self.carry()
        return await self.look_at_page(visit)

    async def hold_unheard(self, slot: Slot | None = None) -> Visit:
        """Held, and payments has not heard of it yet."""
        (user_id,) = await self.office.new_players(1)
        starts_at = A_YEAR_ON + timedelta(hours=2 * next(self.hours))
        slot = slot or Slot(court_id(1), starts_at, starts_at + timedelta(minutes=90), 2400)
        hold = await self.office.hold_of(user_id, slot)
        email = f"ana+{user_id.hex[:8]}@club.test"
        async with self.payments.chassis.unit_of_work() as work:
            await keep_profile(work, UserProfile(user_id=user_id, version=1, email=email, name="Ana", locale="es"))
        await hold.place(self.office.chassis, self.office.catalogue, Outlooks(self.office.chassis))
        return Visit(hold.booking.id, user_id, slot, email)

    async def look_at_page(self, visit: Visit) -> Visit:
        [attempt] = await self.payments.rows(
            "SELECT checkout_id, checkout_url FROM payment_attempts WHERE booking_id = :id AND state = 'open'",
            id=visit.booking_id,
        )
        visit.checkout_id, visit.url = attempt["checkout_id"], attempt["checkout_url"]
        return visit

    async def second_page(self, visit: Visit) -> str:
        """Of the same attempt, as a process makes that is asked beside another: nobody is shown it. The checkout's id."""
        found = "SELECT id FROM payment_attempts WHERE booking_id = :id"
        [attempt] = await self.payments.rows(found, id=visit.booking_id)
        quote = Quote(attempt["id"], visit.booking_id, visit.slot.price_minor, "EUR")
        return (await checkouts.create(self.payments.polar, Intent(quote, visit.email, repeated=False))).id

    async def held(self, visit: Visit) -> BookingHeld:
        """What booking said of it."""
        told = "SELECT payload FROM outbox WHERE aggregateid = $1 AND type = $2"
        pool = self.office.chassis.database.pool
        return BookingHeld.model_validate_json(await pool.fetchval(told, str(visit.booking_id), BookingHeld.type))

    async def pay(self, visit: Visit) -> str:
        """At Polar; nobody has told us. The order's id."""
        return await self.pay_at(visit.checkout_id)

    async def pay_at(self, checkout_id: str) -> str:
        await self.payments.standin.pay(checkout_id)
        return (await self.payments.polar.client.orders.list(checkout_id=checkout_id)).items[0].id

    async def expire(self, visit: Visit) -> None:
        """The hold's time is over, and the cron has been there."""
        statement = (
            "UPDATE bookings SET hold_expires_at = now() - interval '1 second' WHERE id = $1 AND status = 'held'"
        )
        await self.office.chassis.database.pool.execute(statement, visit.booking_id)
        async with self.office.chassis.unit_of_work() as work:
            await mutations.expire_all(work, self.office.catalogue)

    async def cancel(self, visit: Visit) -> bool:
        """By the player. Whether there was something to cancel."""
        async with self.office.chassis.unit_of_work() as work:
            booking = await locked(work.session, visit.booking_id)
            assert booking
            live = booking.status in ("held", "confirmed")
            if live:
                await mutations.cancel(work, self.office.catalogue, booking, "player", None)
        return live

    async def refund_by_staff(
        self, visit: Visit, user: str = "Marta", role: str = "admin", **body: Any
    ) -> dict[str, Any]:
        [account] = await self.accounts(visit)
        path, told = f"/v1/payments/{account['id']}/refund", {"reason": "They asked for it"} | body
        answer = await self.payments.ask("POST", path, user, role, json=told)
        assert answer.status_code == 202, answer.text
        refund: dict[str, Any] = answer.json()
        return refund

    # What Polar tells

    async def webhook(self, kind: str, webhook_id: str | None = None, **data: Any) -> None:
        body = webhook(kind, **data)
        headers = signed(body, webhook_id or str(uuid4()))
        answer = await self.payments.client.post("/webhooks/polar", content=body, headers=headers)
        assert answer.status_code == 202, answer.text

    async def tell_paid(self, order_id: str, checkout_id: str, webhook_id: str | None = None) -> None:
        await self.webhook("order.paid", webhook_id, id=order_id, checkout_id=checkout_id)

    # What is between the services

    async def carry(self) -> None:
        """Until nobody has anything left to say, and nothing waits for another try."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while True:
                records = await self._said(self.office.chassis.database, "booking")
                records += await self._said(self.payments.chassis.database, "payments")
                waiting = bool(self.booking.tiers.waiting or self.paying.tiers.waiting)
                if not records and not waiting:
                    return
                await asyncio.gather(self.booking.read(records), self.paying.read(records))
                await asyncio.sleep(0.02 if waiting else 0)

    async def carry_by_two_workers(self) -> None:
        """What waits for payments is read by two workers at once, as while partitions change hands; then all goes on."""
        other = Reader.of(self.payments.chassis, self.paying.consumers)
        records = await self._said(self.payments.chassis.database, "payments")
        assert records
        await asyncio.gather(self.paying.read(records), other.read(records))
        async with asyncio.timeout(WITHIN_SECONDS):
            while other.tiers.waiting:
                await other.read([])
        assert other.tiers.dead == []
        await self.carry()

    async def forget_what_was_said(self) -> None:
        """Nobody ever hears of it."""
        await self._said(self.office.chassis.database, "booking")
        await self._said(self.payments.chassis.database, "payments")

    async def _said(self, database: Database, service: str) -> list[Record]:
        columns = outbox.c
        new = select(outbox).where(columns.seq > self.read_up_to.get(service, 0)).order_by(columns.seq)
        async with database.engine.connect() as connection:
            rows = (await connection.execute(new)).all()
        if rows:
            self.read_up_to[service] = rows[-1].seq
        return [_record(row) for row in rows]

    def dead_letters(self) -> list[str]:
        return self.booking.tiers.dead + self.paying.tiers.dead

    # What came of it

    async def status(self, visit: Visit) -> str:
        found = "SELECT status FROM bookings WHERE id = $1"
        return str(await self.office.chassis.database.pool.fetchval(found, visit.booking_id))

    async def events(self, visit: Visit) -> list[str]:
        """All that was told of a booking, by both services, each in its order."""
        told = "SELECT type FROM outbox WHERE aggregateid = $1 ORDER BY seq"
        rows = []
        for chassis in (self.office.chassis, self.payments.chassis):
            rows += await chassis.database.pool.fetch(told, str(visit.booking_id))
        return [row["type"].removesuffix(".v1") for row in rows]

    async def accounts(self, visit: Visit) -> list[dict[str, Any]]:
        """The payments of a booking, as staff see them in full."""
        listed = await self.payments.ask("GET", f"/v1/payments?booking_id={visit.booking_id}", "Marta")
        assert listed.status_code == 200, listed.text
        paths = [one["links"]["self"] for one in listed.json()["items"]]
        return [(await self.payments.ask("GET", path, "Marta")).json() for path in paths]

    async def quarantined(self, order_id: str) -> list[dict[str, Any]]:
        """Why this order still waits for a person."""
        answer = await self.payments.ask("GET", "/v1/quarantine?limit=100", "Marta")
        assert answer.status_code == 200, answer.text
        return [one for one in answer.json()["items"] if one["order_id"] == order_id]

    async def reconcile(self, since: datetime | None = None) -> dict[str, Any]:
        """As an operator asks for it; what came of it."""
        body = {"since": since.isoformat()} if since else {}
        begun = await self.payments.ask("POST", "/v1/ops/reconciliations", "Marta", json=body)
        assert begun.status_code == 202, begun.text
        async with asyncio.timeout(WITHIN_SECONDS):
            while (told := await self._comparison(begun.headers["Location"]))["state"] == "running":  # noqa: ASYNC110 - the API is asked
                await asyncio.sleep(0.05)
        assert told["failure"] is None
        return told

    async def _comparison(self, path: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.payments.ask("GET", path, "Marta")).json()
        return told

    async def differences_of(self, visit: Visit) -> list[dict[str, Any]]:
        """What a comparison with Polar leaves of this booking."""
        ids = {str(visit.booking_id)}
        for account in await self.accounts(visit):
            ids |= {one["id"] for one in (*account["orders"], *account["refunds"])}
        since = datetime.now(UTC) - timedelta(hours=1)
        return [one for one in (await self.reconcile(since))["differences"] if one["subject"] in ids]

    async def pages_shown(self, visit: Visit) -> set[str]:
        told = await self.payments.events(PaymentCheckoutOpened, visit.booking_id)
        return {event.checkout_url for event in told}

    async def ledger(self, visit: Visit) -> dict[str, Any]:
        """What Polar really took and gave back for this booking."""
        return await self.payments.standin.ledger(visit.booking_id)

    async def must_close(self, *visits: Visit) -> None:
        """The proof of every proof: at most one charge not refunded for each booking, and the balance is what is owed, to the cent."""
        owed_minor = balance_minor = 0
        for visit in visits:
            ledger = await self.ledger(visit)
            assert kept(ledger["entries"]) <= 1, ledger
            owed = visit.slot.price_minor if await self.status(visit) == "confirmed" else 0
            assert ledger["balance_minor"] == owed, (await self.status(visit), ledger)
            owed_minor, balance_minor = owed_minor + owed, balance_minor + ledger["balance_minor"]
        assert balance_minor == owed_minor
        assert not self.dead_letters(), self.dead_letters()


def kept(entries: list[dict[str, Any]]) -> int:
    """How many charges were not given back in full."""
    left: dict[str, int] = {}
    for entry in entries:
        sign = -1 if entry["kind"] == "refund" else 1
        left[entry["order_id"]] = left.get(entry["order_id"], 0) + sign * entry["amount"]
    assert all(amount >= 0 for amount in left.values()), entries
    return sum(amount > 0 for amount in left.values())


def _record(row: Any, numbers: Any = itertools.count()) -> Record:  # noqa: B008 - one for all
    key, headers = on_the_wire(
        id=row.id,
        type=row.type,
        aggregateid=row.aggregateid,
        headers=orjson.dumps(row.headers).decode(),
        created_at=row.created_at,
    )
    size = len(key or b""), len(row.payload or b"")
    return ConsumerRecord(row.aggregatetype, 0, next(numbers), 0, 0, key, row.payload, None, *size, tuple(headers))
