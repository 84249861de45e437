"""What Resend accepts as a mail, and how it says no."""

import base64
import binascii
import re
from datetime import timedelta
from typing import Any

from deploy.standins.clock import seconds
from deploy.standins.resend.errors import Forbidden, InvalidMail, MissingField
from deploy.standins.resend.state import Document, Outbox

ADDRESS = re.compile(r"(?:[^<>@]*<\s*)?[^<>@\s]+@([^<>@\s]+\.[^<>@\s.]+)(?:\s*>)?")
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
MOST_RECIPIENTS = 50
MOST_ATTACHED_BYTES = 40 * 1024 * 1024  # after base64
LONGEST_SCHEDULE_S = timedelta(days=30).total_seconds()
TEST_DOMAINS = frozenset({"example.com", "example.org", "example.net", "test.com"})
LISTS_OF_ADDRESSES = ("to", "cc", "bcc", "reply_to")
EMPTY: Document = {"html": None, "text": None, "headers": {}, "tags": []}
FORMAT = "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."


def checked(outbox: Outbox, body: Any) -> Document:
    """The mail with each list of addresses as a list. MissingField, InvalidMail or Forbidden when Resend would refuse it."""
    if not isinstance(body, dict):
        raise InvalidMail("The email must be an object.")
    _check_required(body)
    mail = {**EMPTY, **body, **{name: _addresses(name, body.get(name)) for name in LISTS_OF_ADDRESSES}}
    _check_sender(outbox, mail["from"])
    _check_domains(outbox, [*mail["to"], *mail["cc"], *mail["bcc"]])
    _check_tags(mail.get("tags") or [])
    mail["attachments"] = [_attachment(item) for item in _list("attachments", mail.get("attachments"))]
    if sum(len(item.get("content") or "") for item in mail["attachments"]) > MOST_ATTACHED_BYTES:
        raise InvalidMail("The attachments exceed 40 MB.", "invalid_attachment")
    if mail.get("scheduled_at"):
        scheduled(outbox, mail["scheduled_at"])
    return mail


def scheduled(outbox: Outbox, text: Any) -> float:
    """Seconds since 1970, at most 30 days ahead."""
    try:
        instant = seconds(text)
    except (TypeError, ValueError):
        raise InvalidMail("The `scheduled_at` field must be an ISO 8601 date.") from None
    if instant > outbox.clock.now() + LONGEST_SCHEDULE_S:
        raise InvalidMail("The `scheduled_at` field must be at most 30 days ahead.")
    return instant


def _check_required(body: Document) -> None:
    for name in ("from", "to", "subject"):
        if not body.get(name):
            raise MissingField(f"Missing `{name}` field.")
    if not (body.get("html") or body.get("text")):
        raise MissingField("Missing `html` or `text` field.")
    for name in ("from", "subject", "html", "text"):
        if not isinstance(body.get(name) or "", str):
            raise InvalidMail(f"The `{name}` field must be a `string`.")
    headers = body.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise InvalidMail("The `headers` field must be an object of strings.")


def _addresses(name: str, value: Any) -> list[str]:
    addresses = [value] if isinstance(value, str) else _list(name, value)
    if len(addresses) > MOST_RECIPIENTS:
        raise InvalidMail(f"The `{name}` field must have at most {MOST_RECIPIENTS} addresses.")
    for address in addresses:
        if not (isinstance(address, str) and ADDRESS.fullmatch(address.strip())):
            raise InvalidMail(f"Invalid `{name}` field. {FORMAT}")
    return addresses


def _check_sender(outbox: Outbox, sender: str) -> None:
    match = ADDRESS.fullmatch(sender.strip())
    if match is None:
        raise InvalidMail(f"Invalid `from` field. {FORMAT}", "invalid_from_address")
    domain, verified = match[1].casefold(), outbox.settings.verified_domains
    if verified and domain not in verified:
        raise Forbidden(f"The {domain} domain is not verified. Please, add and verify your domain.")


def _check_domains(outbox: Outbox, recipients: list[str]) -> None:
    """Mail to these would only bounce, so Resend does not take it."""
    for recipient in recipients if outbox.settings.reject_test_domains else []:
        match = ADDRESS.fullmatch(recipient.strip())
        if match and match[1].casefold() in TEST_DOMAINS:
            raise InvalidMail(
                f"Invalid `to` field. Please use our testing email address instead of domains like `{match[1]}`."
            )


def _check_tags(tags: Any) -> None:
    for tag in _list("tags", tags):
        parts = (tag.get("name"), tag.get("value")) if isinstance(tag, dict) else (None, None)
        if not all(isinstance(part, str) and TAG.fullmatch(part) for part in parts):
            raise InvalidMail("Tags should only contain ASCII letters, numbers, underscores, or dashes.")


def _attachment(item: Any) -> Document:
    """With the content as base64, whichever way it came. A `path` is kept, and never fetched."""
    if not isinstance(item, dict) or not (item.get("content") or item.get("path")):
        raise InvalidMail("Attachment must have either a `content` or `path`.", "invalid_attachment")
    if not item.get("content"):
        return item
    if not item.get("filename"):
        raise InvalidMail("Attachment must have a `filename`.", "invalid_attachment")
    return {**item, "content": base64.b64encode(_decoded(item["content"])).decode()}


def _decoded(content: Any) -> bytes:
    try:
        return base64.b64decode(content, validate=True) if isinstance(content, str) else bytes(content)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidMail("Attachment `content` must be base64 or a list of bytes.", "invalid_attachment") from None


def _list(name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidMail(f"The `{name}` field must be an array.")
    return value
