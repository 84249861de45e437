"""A player, over HTTP alone: finds a slot, holds it, pays on the provider's page, waits, reads the mail.

Patient as a good client is: a connection that breaks, a 503 or a 429 is tried again, the hold with the same Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import httpx

POLL_SECONDS = (0.03, 0.5)
"""From the first look to the last: ever more patient, so that many waiting players do not crowd out those who act."""
RETRY_SECONDS = 0.25
PATIENCE_SECONDS = 100.0
"""For one step, the outage of a service included, and a minute on the second rung of its retries."""
ASK_AGAIN = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)


class DemoFailed(Exception):
    """A step did not happen; the message says which and what was seen instead."""


@dataclass(frozen=True)
class Urls:
    """`booking` is where its `/v1` is; the other two are the stand-ins."""

    booking: str
    polar: str
    resend: str

    @classmethod
    def behind(cls, gateway: str) -> Urls:
        """Where the gateway of `docker compose` has them (`deploy/gateway/routes.conf`)."""
        gateway = gateway.rstrip("/")
        return cls(gateway, f"{gateway}/standins/polar", f"{gateway}/standins/resend")


@dataclass(frozen=True)
class Slot:
    court_id: str
    court_name: str
    starts_at: str
    amount_minor: int
    currency: str


@dataclass
class Player:
    """`give_up_seconds` is how long one step may take."""

    client: httpx.AsyncClient
    urls: Urls
    email: str
    token: str
    give_up_seconds: float = PATIENCE_SECONDS
    timings_ms: dict[str, float] = field(default_factory=dict)

    async def hold(self, slots: list[Slot]) -> tuple[str, Slot]:
        """Hold the first of these slots that nobody else took. The booking's id, and the slot."""
        while slots:
            slot = slots.pop()
            key = {"Idempotency-Key": str(uuid4())}
            body = {"court_id": slot.court_id, "starts_at": slot.starts_at}
            answer = await self._ask("POST", f"{self.urls.booking}/v1/bookings", json=body, headers=key)
            if answer.status_code == httpx.codes.CREATED:
                return answer.json()["id"], slot
            if answer.json().get("code") != "slot-already-taken":
                raise DemoFailed(f"the hold was refused: {answer.text}")
        raise DemoFailed("no slot was free")

    async def open_checkout(self, booking_id: str) -> str:
        """The payment page's address, once it is there."""

        async def look() -> str | None:
            answer = await self._ask("GET", f"{self.urls.booking}/v1/bookings/{booking_id}/checkout")
            if answer.status_code == httpx.codes.SEE_OTHER:
                return answer.headers["location"]
            if answer.json().get("code") != "checkout-not-ready":
                raise DemoFailed(f"no way to the checkout: {answer.text}")
            return None

        page: str = await self._until("the payment page", look)
        return page

    async def pay(self, url: str) -> None:
        """Fill in the form of the page and press Pay, as a browser does."""
        page = await self._ask("GET", url)
        form = _Form()
        form.feed(page.text)
        if form.action is None:
            raise DemoFailed(f"the payment page has no form: {page.status_code}")
        fields = {**form.fields, "email": form.fields.get("email") or self.email}
        answer = await self._ask("POST", urljoin(url, form.action), data=fields)
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise DemoFailed(f"the payment was not taken: {answer.status_code}")

    async def await_confirmation(self, booking_id: str) -> None:
        async def look() -> bool | None:
            answer = await self._ask("GET", f"{self.urls.booking}/v1/bookings/{booking_id}")
            return answer.json().get("status") == "confirmed" or None

        await self._until("the confirmation", look)

    async def read_mail(self, booking_id: str, kind: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await self._ask(
                "GET", f"{self.urls.resend}/_admin/emails", params={"tag": f"booking_id:{booking_id}"}
            )
            tag = {"name": "kind", "value": kind}
            return next((mail for mail in found.json()["emails"] if tag in mail["tags"]), None)

        mail: dict[str, Any] = await self._until("the mail", look)
        return mail

    async def step(self, name: str, doing: Awaitable[Any]) -> Any:
        started = time.perf_counter()
        result = await doing
        self.timings_ms[name] = round((time.perf_counter() - started) * 1000, 1)
        return result

    async def _ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        if url.startswith(f"{self.urls.booking}/v1/"):  # and to nobody else behind the same gateway
            request["headers"] = {**request.get("headers", {}), "Authorization": f"Bearer {self.token}"}
        return await patiently(self.client, method, url, self.give_up_seconds, **request)

    async def _until(self, what: str, look: Callable[[], Awaitable[Any]]) -> Any:
        deadline = time.monotonic() + self.give_up_seconds
        pause, longest = POLL_SECONDS
        while time.monotonic() < deadline:
            if (found := await look()) is not None:
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, longest)
        raise DemoFailed(f"{what} did not come within {self.give_up_seconds:.0f} s")


class _Form(HTMLParser):
    """The first form of a page: where it goes, and what is filled in already."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = given.get("action")
        elif tag == "input" and given.get("name"):
            self.fields[given["name"] or ""] = given.get("value") or ""


async def patiently(
    client: httpx.AsyncClient, method: str, url: str, give_up_seconds: float, **request: Any
) -> httpx.Response:
    """One answer. Broken connections, 503 and 429 are asked again; every request here may be repeated."""
    deadline = time.monotonic() + give_up_seconds
    while True:
        pause = RETRY_SECONDS
        try:
            answer = await client.request(method, url, **request)
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"{url} does not answer: {type(error).__name__}. Is `make up` running, or compose?"
                ) from error
        else:
            if answer.status_code not in ASK_AGAIN or time.monotonic() > deadline:
                return answer
            pause = float(answer.headers.get("Retry-After", pause))
        await asyncio.sleep(pause)


async def free_slots(
    client: httpx.AsyncClient, booking_url: str, venue_id: str, at_least: int, first_day: int = 1
) -> list[Slot]:
    """Free slots from `first_day` days ahead on, so many days as are needed, the soonest last."""
    found: list[Slot] = []
    for ahead in range(first_day, 31):
        day = date.today() + timedelta(days=ahead)  # noqa: DTZ011 - any day will do
        query = {"venue_id": venue_id, "from": day.isoformat()}
        answer = await patiently(client, "GET", f"{booking_url}/v1/availability", 10.0, params=query)
        if answer.status_code != httpx.codes.OK:
            raise DemoFailed(f"no availability: {answer.text}")
        found += [
            Slot(
                court["court_id"], court["name"], slot["starts_at"], slot["price"]["amount"], slot["price"]["currency"]
            )
            for day_of_courts in answer.json()["days"]
            for court in day_of_courts["courts"]
            for slot in court["slots"]
        ]
        if len(found) >= at_least:
            return found[::-1]
    raise DemoFailed(f"only {len(found)} free slots in 30 days, {at_least} are needed: `make reset` empties the club")
