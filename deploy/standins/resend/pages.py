"""The outbox to look at: what would have been mailed, newest first. Plain HTML, no script."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.standins.resend import mails, sending
from deploy.standins.resend.errors import NotFound
from deploy.standins.resend.state import Document, TheOutbox

router = APIRouter()
templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
templates.filters["moment"] = lambda instant: f"{datetime.fromtimestamp(instant, UTC):%-d %B %Y, %H:%M:%S} UTC"

SHOWN = 200
SAFETY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}
# A mail is somebody else's HTML: it runs no script and fetches nothing, also when its address is opened by itself.
SAFETY_OF_A_MAIL = {
    "Content-Security-Policy": "sandbox allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/")
async def show_outbox(outbox: TheOutbox, to: str = "", subject: str = "", tag: str = "", event: str = "") -> Response:
    found = mails.matching(outbox, part=to, subject=subject, tag=tag.replace(": ", ":"), event=event)[::-1]
    shown = [{**dict(row), "content": json.loads(row["content"])} for row in found[:SHOWN]]
    chosen = {"to": to, "subject": subject, "tag": tag, "event": event}
    events = [row["last_event"] for row in outbox.database.rows("SELECT DISTINCT last_event FROM emails ORDER BY 1")]
    return _html("outbox.html", mails=shown, total=len(found), shown=SHOWN, chosen=chosen, events=events)


@router.get("/mails/{email_id}")
async def show_mail(outbox: TheOutbox, email_id: UUID) -> Response:
    row = sending.find(outbox, str(email_id))
    content = json.loads(row["content"])
    invitations = [readable(each) for each in content["attachments"] if is_calendar(each)]
    return _html("mail.html", mail=dict(row), content=content, invitations=invitations)


@router.get("/mails/{email_id}/html")
async def show_html_part(outbox: TheOutbox, email_id: UUID, *, download: bool = False) -> Response:
    headers = {**SAFETY_OF_A_MAIL, **(saved_as(f"{email_id}.html") if download else {})}
    return HTMLResponse(_content(outbox, email_id).get("html") or "", headers=headers)


@router.get("/mails/{email_id}/text")
async def download_text_part(outbox: TheOutbox, email_id: UUID) -> Response:
    text = _content(outbox, email_id).get("text") or ""
    return PlainTextResponse(text, headers=saved_as(f"{email_id}.txt"))


@router.get("/mails/{email_id}/attachments/{number}")
async def download_attachment(outbox: TheOutbox, email_id: UUID, number: int) -> Response:
    attachments = _content(outbox, email_id)["attachments"]
    if not 0 <= number < len(attachments) or not attachments[number].get("content"):
        raise NotFound("Attachment not found")
    attachment = attachments[number]
    name = re.sub(r"[^\w.-]", "_", attachment["filename"], flags=re.ASCII)
    kind = attachment.get("content_type") or ("text/calendar" if name.endswith(".ics") else "application/octet-stream")
    return Response(base64.b64decode(attachment["content"]), headers={**saved_as(name), "Content-Type": kind})


def saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}


def is_calendar(attachment: Document) -> bool:
    kind = f"{attachment.get('content_type', '')} {attachment.get('filename', '')}".casefold()
    return bool(attachment.get("content")) and ("text/calendar" in kind or kind.endswith(".ics"))


def readable(attachment: Document) -> str:
    """Its folded lines in one piece (RFC 5545, 3.1)."""
    text = base64.b64decode(attachment["content"]).decode(errors="replace")
    return re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n")


def not_found() -> Response:
    return _html("unknown.html", status=404)


def _content(outbox: TheOutbox, email_id: UUID) -> Document:
    content: Document = json.loads(sending.find(outbox, str(email_id))["content"])
    return content


def _html(template: str, status: int = 200, **facts: Any) -> Response:
    return HTMLResponse(templates.get_template(template).render(**facts), status, SAFETY)
