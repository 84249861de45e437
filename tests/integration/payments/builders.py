"""What the tests of the payment service start from, and what they send."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from polar.v2026_10.outputs import Checkout, Order
from sqlalchemy import func, select, text
from standardwebhooks import Webhook

from courtside_contracts.booking import BookingHeld
from courtside_contracts.envelope import Event
from courtside_contracts.user import UserProfile
from deploy import tokens
from services.chassis import http
from services.chassis.auth import TokenVerifier
from services.chassis.clock import DatabaseClock
from services.chassis.consuming import AlreadyHandled, Delivery
from services.chassis.database import Database
from services.chassis.dead_letters.domain import Desk
from services.chassis.doorbell import Doorbell
from services.chassis.outbox import outbox
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.payments.actions import Polar
from services.payments.app import ROUTERS
from services.payments.checkouts.consumers import open_checkout
from services.payments.profiles.mutations import keep_profile
from services.payments.settings import PaymentsSettings
from services.payments.webhooks.consumers import look_where_told
from services.payments.webhooks.domain import WEBHOOK_MAX_BYTES, PolarWebhook
from services.payments.webhooks.receiving import Receiving
from tests.ports import free_port
from tests.programs import Program

TOKEN = "polar_oat_integration"
PRODUCT = UUID("7f1d3c5e-0b1a-4c53-9a55-c0a275bdc001")
SECRET = "whsec_" + base64.b64encode(b"the secret of the payment tests").decode()
NEXT_SECRET = "whsec_" + base64.b64encode(b"the secret that replaces it").decode()


def settings_for(database_url: str, standin: RunningPolar, **more: Any) -> PaymentsSettings:
    given = more | {
        "environment": "test",
        "database_url": database_url,
        "polar_base_url": standin.url,
        "polar_access_token": TOKEN,
        "polar_product_id": PRODUCT,
        "polar_webhook_secrets": [SECRET, NEXT_SECRET],
        "success_url": "https://club.test/bookings/{BOOKING_ID}",
    }
    return PaymentsSettings.model_validate(given)


class RunningPolar:
    """The stand-in as a program of its own, with its levers."""

    def __init__(self, folder: Path, **variables: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        given = {
            "PORT": str(port),
            "ACCESS_TOKEN": TOKEN,
            "PRODUCT_ID": str(PRODUCT),
            "STATE": str(folder / f"polar-{port}.sqlite"),
            "WEBHOOK_SECRET": SECRET,
            **variables,
        }
        environment = {f"POLAR_STANDIN_{name}": value for name, value in given.items()}
        self.program = Program(
            "deploy.standins.polar", environment, f"{self.url}/healthz", folder / f"polar-{port}.log"
        )

    async def pull(self, lever: str, method: str = "POST", **body: Any) -> dict[str, Any]:
        """One of those in deploy/standins/README.md."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as client:
            answer = await client.request(method, f"/_admin/{lever}", json=body if method == "POST" else None)
            answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    async def pay(self, checkout_id: str) -> None:
        await self.pull(f"checkouts/{checkout_id}/pay")

    async def ledger(self, booking_id: UUID | None = None) -> dict[str, Any]:
        return await self.pull("ledger" + (f"?booking_id={booking_id}" if booking_id else ""), "GET")

    async def charges(self, booking_id: UUID) -> int:
        charges: int = (await self.ledger(booking_id))["charges"]
        return charges

    async def fail(self, action: str, method: str, path: str, contains: object = "", **more: Any) -> int:
        """A fault of requests that concern this booking, say. Its id."""
        match = {"method": method, "path": path} | ({"contains": str(contains)} if contains else {})
        return int((await self.pull("faults", match=match, action=action, **more))["id"])


def email_of(user: str) -> str:
    return f"{user.lower().replace(' ', '-')}@club.test"


@dataclass
class Player:
    """A user with a held slot."""

    held: BookingHeld
    profile: UserProfile

    @property
    def booking_id(self) -> UUID:
        return self.held.booking_id

    @property
    def email(self) -> str:
        return self.profile.email


def player(*, hold_ends_in: timedelta = timedelta(minutes=15), price_minor: int = 2400) -> Player:
    user_id, starts_at = uuid4(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    held = BookingHeld(
        booking_id=uuid4(),
        version=1,
        status="held",
        user_id=user_id,
        venue_id=uuid4(),
        venue_name="Pádel Retiro",
        time_zone="Europe/Madrid",
        court_id=uuid4(),
        court_name="Pista 1",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=90),
        price_minor=price_minor,
        currency="EUR",
        cancellation_window_hours=24,
        hold_expires_at=datetime.now(UTC) + hold_ends_in,
    )
    email = f"ana+{user_id.hex[:8]}@club.test"
    return Player(held, UserProfile(user_id=user_id, version=1, email=email, name="Ana Gómez", locale="es"))


@dataclass
class Payments:
    """The service without its process: its database, its calls and its routes."""

    chassis: Chassis
    polar: Polar
    client: httpx.AsyncClient
    standin: RunningPolar
    settings: PaymentsSettings
    hirings: int = 0

    @classmethod
    async def start(cls, settings: PaymentsSettings, standin: RunningPolar) -> Payments:
        database, clock = await Database.open(settings), DatabaseClock()
        await clock.synchronise(database)
        doorbell = Doorbell(settings.database_url.get_secret_value())
        chassis = Chassis(settings, database, clock, UnitOfWorkFactory(database, clock, doorbell.ring), doorbell)
        polar = Polar.connect(settings)
        state: dict[str, Any] = {
            "chassis": chassis,
            "polar_webhook_secrets": settings.polar_webhook_secrets,
            "receiving": Receiving(chassis.unit_of_work),
            "polar": polar,
        }
        state |= {"verifier": TokenVerifier(settings), "desk": Desk("payments", {})}
        app = http.create_app(settings, "Courtside payments", WEBHOOK_MAX_BYTES, ROUTERS, **state)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://payments.test", trust_env=False)
        return cls(chassis, polar, client, standin, settings)

    async def stop(self) -> None:
        await self.client.aclose()
        await self.polar.close()
        await self.chassis.database.close()

    async def ask(self, method: str, path: str, user: str | None = None, role: str = "admin", **request: Any) -> Any:
        """As this user, or as nobody."""
        headers = dict(request.pop("headers", {}))
        if user:
            assert self.settings.jwks_file
            token = tokens.mint(self.settings.jwks_file.parent, email_of(user), user, tokens.Role(role))
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=headers, **request)

    async def hire(self, user: str, *venues: UUID) -> None:
        """As booking tells it: they are staff there, and nowhere else any more."""
        self.hirings += 1
        email = email_of(user)
        told = {"user_id": tokens.user_id(email), "version": self.hirings, "email": email, "name": user, "locale": "es"}
        async with self.chassis.unit_of_work() as work:
            await keep_profile(work, UserProfile(**told, staff_of=venues))

    def delivery(self, event: Any, event_id: str | None = None) -> Delivery[Any]:
        return Delivery(event, event_id or str(uuid4()), "payments", self.chassis.unit_of_work)

    async def know(self, known: Player) -> Player:
        async with self.chassis.unit_of_work() as work:
            await keep_profile(work, known.profile)
        return known

    async def hold(self, known: Player, event_id: str | None = None) -> None:
        with suppress(AlreadyHandled):
            await open_checkout(self.delivery(known.held, event_id), self.polar)

    async def opened(self, known: Player) -> str:
        """The id of the checkout at which the player can pay."""
        await self.hold(await self.know(known))
        checkout_id = (await self.attempt(known))["checkout_id"]
        assert isinstance(checkout_id, str)
        return checkout_id

    async def paid(self, known: Player) -> Order:
        """As Polar has it after the player paid; nobody has told us yet."""
        checkout_id = await self.opened(known)
        await self.standin.pay(checkout_id)
        return (await self.polar.client.orders.list(checkout_id=checkout_id)).items[0]

    async def told(self, order: Order, event_id: str | None = None) -> None:
        webhook = PolarWebhook(type="order.paid", data={"id": order.id, "checkout_id": order.checkout_id})
        with suppress(AlreadyHandled):
            await look_where_told(self.delivery(webhook, event_id), self.polar)

    async def attempt(self, known: Player) -> dict[str, Any]:
        rows = await self.rows("SELECT * FROM payment_attempts WHERE booking_id = :id", id=known.booking_id)
        assert len(rows) == 1
        return rows[0]

    async def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        async with self.chassis.database.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(text(statement), parameters)).mappings()]

    async def change(self, statement: str, **parameters: Any) -> None:
        async with self.chassis.database.engine.begin() as connection:
            await connection.execute(text(statement), parameters)

    async def events(self, kind: type[Event], key: object) -> list[Any]:
        """What waits in the outbox for the relay, oldest first."""
        found = select(outbox.c.payload).where(outbox.c.type == kind.type, outbox.c.aggregateid == str(key))
        async with self.chassis.database.engine.connect() as connection:
            payloads = (await connection.scalars(found.order_by(outbox.c.seq))).all()
        return [kind.model_validate_json(payload) for payload in payloads]

    async def records(self, key: str) -> int:
        counted = select(func.count()).where(outbox.c.type == PolarWebhook.type, outbox.c.aggregateid == key)
        async with self.chassis.database.engine.connect() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def checkouts_at_polar(self, known: Player) -> list[Checkout]:
        return (await self.polar.client.checkouts.list(query=known.email, limit=100)).items


def webhook(kind: str = "order.paid", **data: Any) -> bytes:
    body = {"type": kind, "timestamp": "2026-11-01T10:00:05Z", "api_version": "2026-10", "data": data}
    return json.dumps(body).encode()


def signed(
    body: bytes, webhook_id: str, secret: str = SECRET, *, legacy: bool = False, age: timedelta = timedelta(0)
) -> dict[str, str]:
    """Headers as Polar sends them. `legacy`: the way of endpoints made before September 2026."""
    key = base64.b64encode(secret.encode()).decode() if legacy else secret
    at = datetime.now(UTC) - age
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(webhook_id, at, body.decode()),
        "content-type": "application/json",
    }
