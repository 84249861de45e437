"""What the mail provider holds, and providers that fail."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from icalendar import Calendar

from services.notifications.emails.actions import MailProvider, Taken

KEY = "re_of_a_test"
WEBHOOK_SECRET = "whsec_b2YgYSB0ZXN0LCBvZiBhIHRlc3QsIG9mIGE="
NEXT_WEBHOOK_SECRET = "whsec_dGhlIG5leHQgb25lLCB0aGUgbmV4dCBvbmUh"


@dataclass(frozen=True)
class Outbox:
    """The stand-in's: the judge of how many mails there are."""

    url: str

    def mails(self, booking_id: UUID) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/_admin/emails", tag=f"booking_id:{booking_id}")["emails"]
        return found

    def requests(self, booking_id: UUID) -> list[tuple[str, str]]:
        """Key and body of each request to send this booking's mail, the newest first."""
        asked = self._get("/_admin/requests", limit="5000")["requests"]
        return [
            (each["headers"]["idempotency-key"], each["body"])
            for each in asked
            if each["method"] == "POST" and str(booking_id) in each["body"]
        ]

    def all_mails(self) -> list[dict[str, Any]]:
        """Without what is large."""
        found: list[dict[str, Any]] = self._get("/_admin/emails", brief="true")["emails"]
        return found

    def requests_log(self) -> list[dict[str, Any]]:
        """The newest first."""
        found: list[dict[str, Any]] = self._get("/_admin/requests", limit="5000")["requests"]
        return found

    def tell(self, path: str, body: Mapping[str, Any]) -> None:
        httpx.post(self.url + path, json=body, trust_env=False).raise_for_status()

    def use_up_the_limit(self) -> None:
        """As somebody else of the same account."""
        asked = {"Authorization": f"Bearer {KEY}", "User-Agent": "somebody else"}
        while httpx.get(f"{self.url}/emails", headers=asked, trust_env=False).is_success:
            pass

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        answer = httpx.get(self.url + path, params=query, trust_env=False, timeout=60).raise_for_status()
        found: dict[str, Any] = json.loads(answer.content)
        return found


def calendar_of(mail: Mapping[str, Any]) -> Calendar:
    """The one that is attached to a mail."""
    (attached,) = mail["attachments"]
    found = Calendar.from_ical(b64decode(attached["content"]))
    assert f"method={found['method']}" in attached["content_type"]
    return found


class Killed(Exception):
    """Stands for SIGKILL: the provider has taken the mail, and this process does not live to write it down."""


@dataclass(frozen=True)
class KilledAfterAccept:
    provider: MailProvider
    name: str = "resend"

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken:
        await self.provider.send(payload, idempotency_key)
        raise Killed
