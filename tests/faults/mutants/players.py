"""Players of a play: each call of theirs is a line of the history. They never insist: what does not come within a while, does not come."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from deploy import tokens
from deploy.player import Player as Payer
from deploy.player import Slot, Urls
from deploy.tokens import Role
from tests.faults.mutants.stage import Stage

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.2


class NothingCame(Exception):
    """What the player waited for did not come. Whose fault that is, is for the checker to say."""


@dataclass
class Player:
    """Somebody with a token. Name and address are words that must appear nowhere but in their profile."""

    stage: Stage
    name: str
    role: Role = Role.PLAYER
    email: str = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        self.email = f"{self.name.lower()}.{secrets.token_hex(4)}@quagga.example"
        keys = self.stage.stack.installation.paths.keys
        self.token = tokens.mint(keys, self.email, f"{self.name} Quagga", self.role, locale="es")

    @property
    def user_id(self) -> UUID:
        return tokens.user_id(self.email)

    async def hold(self, slot: Slot, key: str | None = None, *, for_nothing: bool = False) -> str | None:
        """The booking's id, if the slot is theirs. Staff may have it for nothing: then it is confirmed at once."""
        body = {"court_id": slot.court_id, "starts_at": slot.starts_at, "without_payment": for_nothing}
        answer = await self._post("hold", "/v1/bookings", body, key or secrets.token_hex(8), body)
        return answer.json()["id"] if answer is not None and answer.status_code == 201 else None

    async def get(self, booking_id: str) -> dict[str, Any]:
        answer = await self._send("get", "GET", f"/v1/bookings/{booking_id}", {"booking_id": booking_id})
        return answer.json() if answer is not None and answer.status_code == 200 else {}

    async def cancel(self, booking_id: str) -> bool:
        path = f"/v1/bookings/{booking_id}/cancel"
        answer = await self._post("cancel", path, {}, secrets.token_hex(8), {"booking_id": booking_id})
        return answer is not None and answer.status_code == 200

    async def reschedule(self, booking_id: str, slot: Slot) -> bool:
        body = {"court_id": slot.court_id, "starts_at": slot.starts_at}
        path = f"/v1/bookings/{booking_id}/reschedule"
        answer = await self._post("reschedule", path, body, secrets.token_hex(8), {"booking_id": booking_id, **body})
        return answer is not None and answer.status_code == 200

    async def checkout(self, booking_id: str, patience_seconds: float = PATIENCE_SECONDS) -> str:
        """The payment page, once it is there. Raises `NothingCame`."""

        async def look() -> str | None:
            path = f"/v1/bookings/{booking_id}/checkout"
            answer = await self._send("checkout", "GET", path, {"booking_id": booking_id})
            if (
                answer is not None
                and answer.status_code in (409, 410)
                and answer.json()["code"] != "checkout-not-ready"
            ):
                raise NothingCame("the hold is over")
            return answer.headers["location"] if answer is not None and answer.status_code == 303 else None

        page: str = await until("a payment page", look, patience_seconds)
        return page

    async def pay(self, page: str) -> None:
        urls = Urls(*(self.stage.url(part) for part in ("booking", "polar", "resend")))
        await Payer(self.stage.client, urls, self.email, self.token).pay(page)

    async def confirmed(self, booking_id: str) -> None:
        """Raises `NothingCame`."""

        async def look() -> bool:
            return (await self.get(booking_id)).get("status") == "confirmed"

        await until("the confirmation", look)

    async def book(self, slot: Slot) -> str:
        """Hold, pay, and be confirmed. Raises `NothingCame`."""
        booking_id = await self.hold(slot)
        if booking_id is None:
            raise NothingCame("the slot was not to be had")
        await self.pay(await self.checkout(booking_id))
        await self.confirmed(booking_id)
        return booking_id

    async def staff_refund(self, booking_id: str, amount_minor: int) -> None:
        """In payments, as staff."""
        url, bearer = self.stage.url("payments"), {"Authorization": f"Bearer {self.token}"}
        query = {"booking_id": booking_id}
        listed = await self.stage.client.get(f"{url}/v1/payments", params=query, headers=bearer)
        payment_id = listed.raise_for_status().json()["items"][0]["id"]
        body = {"reason": "the lights went out", "amount_minor": amount_minor}
        headers = bearer | {"Idempotency-Key": secrets.token_hex(8)}
        request = self.stage.client.build_request(
            "POST", f"{url}/v1/payments/{payment_id}/refund", json=body, headers=headers
        )
        await self.stage.history.call(self.stage.client, "refund", request, user=self.user_id, arguments=query | body)

    async def _post(self, op: str, path: str, body: Any, key: str, arguments: dict[str, Any]) -> httpx.Response | None:
        return await self._send(op, "POST", path, arguments, json=body, headers={"Idempotency-Key": key})

    async def _send(
        self,
        op: str,
        method: str,
        path: str,
        arguments: dict[str, Any],
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response | None:
        told = {**(headers or {}), "Authorization": f"Bearer {self.token}"}
        request = self.stage.client.build_request(method, f"{self.stage.url('booking')}{path}", headers=told, **more)
        return await self.stage.history.call(self.stage.client, op, request, user=self.user_id, arguments=arguments)


async def until(what: str, look: Callable[[], Awaitable[Any]], patience_seconds: float = PATIENCE_SECONDS) -> Any:
    """The first answer of `look` that is something. Raises `NothingCame`."""
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while asyncio.get_running_loop().time() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(POLL_SECONDS)
    raise NothingCame(what)
