"""The stand-in of Polar as a child process, with the official SDK to talk to it."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from polar.v2026_10 import PolarAsync
from polar.v2026_10.outputs import Checkout, Order
from polar.v2026_10.webhooks import validate_event

from tests.contract.webhook_receiver import Delivery
from tests.ports import free_port
from tests.programs import Program

MODULE = "deploy.standins.polar"
TOKEN = "polar_oat_contract"
PRODUCT = "0f6a2c8e-55b1-4a0e-8a55-0123456789ab"
SECRET = "whsec_" + base64.b64encode(b"a secret of the contract tests").decode()

# What the webhooks of one purchase tell: (type, status of what it is about).
PURCHASE = [
    ("checkout.created", "open"),
    ("checkout.updated", "confirmed"),
    ("order.created", "paid"),
    ("order.updated", "paid"),
    ("order.paid", "paid"),
    ("checkout.updated", "succeeded"),
]


class RunningPolar:
    def __init__(self, folder: Path, webhook_url: str = "", **settings: object) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PORT": port,
            "ACCESS_TOKEN": TOKEN,
            "PRODUCT_ID": PRODUCT,
            "STATE": folder / f"polar-{port}.sqlite",
            "WEBHOOK_URL": webhook_url,
            "WEBHOOK_SECRET": SECRET,
            **settings,
        }
        variables = {f"POLAR_STANDIN_{name.upper()}": str(value) for name, value in environment.items()}
        self.program = Program(MODULE, variables, f"{self.url}/healthz", folder / f"polar-{port}.log")
        self._polar = self.sdk()
        self.http = httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False)

    def sdk(self, token: str = TOKEN, timeout: float | httpx.Timeout = 60) -> PolarAsync:
        return PolarAsync(token, base_url=self.url, timeout=timeout)

    async def admin(self, path: str, **body: object) -> Any:
        answer = await self.http.post(f"/_admin/{path}", json=body or None)
        answer.raise_for_status()
        return answer.json()

    async def fault(self, action: str, method: str = "*", path: str = "*", **told: object) -> None:
        """Once, unless it is told otherwise."""
        match = {"method": method, "path": path, "contains": told.pop("contains", "")}
        await self.admin("faults", match=match, action=action, **told)

    async def webhook_fault(self, action: str, event_type: str = "", **told: object) -> None:
        await self.admin("webhook-faults", match={"type": event_type}, action=action, **told)

    async def look(self, path: str) -> Any:
        answer = await self.http.get(f"/_admin/{path}")
        answer.raise_for_status()
        return answer.json()

    async def open_checkout(self, amount: int = 2400, booking_id: str = "b1", **fields: Any) -> Checkout:
        return await self._polar.checkouts.create(
            products=[PRODUCT],
            prices={PRODUCT: [{"amount_type": "fixed", "price_amount": amount, "price_currency": "eur"}]},
            **{"metadata": {"booking_id": booking_id}, "customer_email": "ana@club.test", **fields},
        )

    async def buy(self, amount: int = 2400, **fields: Any) -> Order:
        checkout = await self.open_checkout(amount, **fields)
        await self.admin(f"checkouts/{checkout.id}/pay")
        return (await self._polar.orders.list(checkout_id=checkout.id)).items[0]


@asynccontextmanager
async def running(folder: Path, webhook_url: str = "", **settings: object) -> AsyncIterator[RunningPolar]:
    polar = RunningPolar(folder, webhook_url, **settings)
    polar.program.start()
    try:
        async with polar.http, polar._polar:
            yield polar
    finally:
        polar.program.stop()


def facts(deliveries: list[Delivery]) -> list[tuple[str, str]]:
    """(type, status of what it is about) of each delivery, its signature verified by the SDK."""
    events = [validate_event(each.body, each.headers, SECRET) for each in deliveries]
    return [(event.type, event.data.status) for event in events]  # type: ignore[union-attr]  # only events with a status
