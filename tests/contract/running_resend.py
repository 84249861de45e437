"""The stand-in of Resend as a child process, with the official SDK to talk to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import resend

from tests.programs import Program, free_port

MODULE = "deploy.standins.resend"
KEY = "re_contract"


class RunningResend:
    def __init__(self, folder: Path, **settings: object) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PORT": port,
            "API_KEY": KEY,
            "STATE": folder / f"resend-{port}.sqlite",
            "RATE_PER_S": 0,
            **settings,
        }
        variables = {f"RESEND_STANDIN_{name.upper()}": str(value) for name, value in environment.items()}
        self.program = Program(MODULE, variables, f"{self.url}/healthz", folder / f"resend-{port}.log")
        self.http = httpx.AsyncClient(base_url=self.url, trust_env=False)

    async def sent(self, query: str = "") -> list[dict[str, Any]]:
        mails: list[dict[str, Any]] = (await self.http.get(f"/_admin/emails{query}")).json()["emails"]
        return mails

    async def advance(self, seconds_ahead: float) -> None:
        (await self.http.post("/_admin/clock", json={"advance_s": seconds_ahead})).raise_for_status()


@asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[RunningResend]:
    """The SDK keeps its address and key in globals of its module: they point here meanwhile."""
    outbox, before = RunningResend(folder, **settings), (resend.api_key, resend.api_url)
    outbox.program.start()
    resend.api_key, resend.api_url = KEY, outbox.url
    try:
        async with outbox.http:
            yield outbox
    finally:
        resend.api_key, resend.api_url = before
        outbox.program.stop()


def mail(**fields: Any) -> resend.Emails.SendParams:
    usual: resend.Emails.SendParams = {
        "from": "Padel Club <hello@club.test>",
        "to": "Ana <ana@club.test>",
        "subject": "Your court is booked",
        "html": "<h1>See you on Court 3</h1><script>alert(1)</script>",
        "text": "See you on Court 3",
        "tags": [{"name": "booking_id", "value": "b1"}],
    }
    return {**usual, **fields}  # type: ignore[typeddict-item]  # bad ones on purpose too


async def send(key: str | None = None, **fields: Any) -> str:
    options: resend.Emails.SendOptions = {"idempotency_key": key} if key is not None else {}
    return (await resend.Emails.send_async(mail(**fields), options))["id"]
