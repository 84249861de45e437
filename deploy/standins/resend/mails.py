"""Searching the outbox."""

import json
import sqlite3
from typing import Any

from deploy.standins.resend import life
from deploy.standins.resend.state import Outbox


def matching(
    outbox: Outbox, *, to: str = "", part: str = "", tag: str = "", event: str = "", subject: str = ""
) -> list[sqlite3.Row]:
    """The oldest first. `to` is a whole address, `part` a piece of one, `tag` is `name:value`, `event` the last one."""
    life.catch_up(outbox)
    rows = outbox.database.rows(
        # What is in the JSON as text is looked at more closely below; most mails are passed over without being parsed.
        "SELECT * FROM emails WHERE instr(content, ?) AND (? = '' OR last_event = ?) ORDER BY seq",
        (json.dumps(tag.partition(":")[2])[1:-1], event, event),
    )
    wanted = (to.casefold(), part.casefold(), tag, subject.casefold())
    return [row for row in rows if not any(wanted) or _matches(json.loads(row["content"]), *wanted)]


def _matches(content: dict[str, Any], to: str, part: str, tag: str, subject: str) -> bool:
    recipients = [life.address_of(recipient) for recipient in content["to"]]
    tags = [f"{each['name']}:{each['value']}" for each in content.get("tags") or []]
    addressed = (not to or to in recipients) and any(part in each for each in recipients)
    return addressed and (not tag or tag in tags) and subject in content["subject"].casefold()
