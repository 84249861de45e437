"""Searching the outbox."""

import json
import sqlite3
from typing import Any

from deploy.standins.resend.sending import address_of, send_scheduled
from deploy.standins.resend.state import Outbox


def matching(outbox: Outbox, *, to: str = "", part: str = "", tag: str = "") -> list[sqlite3.Row]:
    """The oldest first. `to` is a whole address, `part` a piece of one, `tag` is `name:value`."""
    send_scheduled(outbox)
    rows = outbox.database.rows("SELECT * FROM emails ORDER BY seq")
    return [row for row in rows if _matches(json.loads(row["content"]), to.casefold(), part.casefold(), tag)]


def _matches(content: dict[str, Any], to: str, part: str, tag: str) -> bool:
    recipients = [address_of(recipient) for recipient in content["to"]]
    tags = [f"{each['name']}:{each['value']}" for each in content.get("tags") or []]
    return (not to or to in recipients) and any(part in each for each in recipients) and (not tag or tag in tags)
