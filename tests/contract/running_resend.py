"""The stand-in of Resend as a child process, with the official SDK to talk to it."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import resend

from tests.ports import free_port
from tests.programs import Program

MODULE = "deploy.standins.resend"
KEY = "re_contract"
SECRET = "whsec_" + base64.b64encode(b"a secret of the mail tests").decode()


class RunningResend:
    def __init__(self, folder: Path, webhook_url: str = "", **settings: object) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PORT": port,
            "API_KEY": KEY,
            "STATE": folder / f"resend-{port}.sqlite",
            "RATE_PER_S": 0,
            "WEBHOOK_URL": webhook_url,
            "WEBHOOK_SECRET": SECRET,
            **settings,
        }
        variables = {f"RESEND_STANDIN_{name.upper()}": str(value) for name, value in environment.items()}
        self.program = Program(MODULE, variables, f"{self.url}/healthz", folder / f"resend-{port}.log")
        self.http = httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False)

    async def sent(self, query: str = "") -> list[dict[str, Any]]:
        mails: list[dict[str, Any]] = (await self.http.get(f"/_admin/emails{query}")).json()["emails"]
        return mails

    async def admin(self, path: str, **body: object) -> Any:
        answer = await self.http.post(f"/_admin/{path}", json=body or None)
        answer.raise_for_status()
        return answer.json()

    async def fault(self, action: str, method: str = "POST", path: str = "/emails", **told: object) -> None:
        """Once, unless it is told otherwise."""
        match = {"method": method, "path": path, "contains": told.pop("contains", "")}
        await self.admin("faults", match=match, action=action, **told)

    async def advance(self, seconds_ahead: float) -> None:
        (await self.http.post("/_admin/clock", json={"advance_s": seconds_ahead})).raise_for_status()


@asynccontextmanager
async def running(folder: Path, webhook_url: str = "", **settings: object) -> AsyncIterator[RunningResend]:
    """The SDK keeps its address and key in globals of its module: they point here meanwhile."""
    outbox, before = RunningResend(folder, webhook_url, **settings), (resend.api_key, resend.api_url)
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
