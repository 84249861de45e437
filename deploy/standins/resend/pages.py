"""The outbox to look at: what would have been mailed, newest first. Plain HTML, no script."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
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
async def show_outbox(outbox: TheOutbox, to: str = "") -> Response:
    found = mails.matching(outbox, part=to)[::-1]
    shown = [{**dict(row), "content": json.loads(row["content"])} for row in found[:SHOWN]]
    return _html("outbox.html", mails=shown, to=to, total=len(found))


@router.get("/mails/{email_id}")
async def show_mail(outbox: TheOutbox, email_id: UUID) -> Response:
    row = sending.find(outbox, str(email_id))
    return _html("mail.html", mail=dict(row), content=json.loads(row["content"]))


@router.get("/mails/{email_id}/html")
async def show_html_part(outbox: TheOutbox, email_id: UUID) -> Response:
    return HTMLResponse(_content(outbox, email_id).get("html") or "", headers=SAFETY_OF_A_MAIL)


@router.get("/mails/{email_id}/attachments/{number}")
async def download_attachment(outbox: TheOutbox, email_id: UUID, number: int) -> Response:
    attachments = _content(outbox, email_id)["attachments"]
    if not 0 <= number < len(attachments) or not attachments[number].get("content"):
        raise NotFound("Attachment not found")
    attachment = attachments[number]
    name = re.sub(r"[^\w.-]", "_", attachment["filename"], flags=re.ASCII)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    kind = attachment.get("content_type") or ("text/calendar" if name.endswith(".ics") else "application/octet-stream")
    return Response(base64.b64decode(attachment["content"]), headers={**headers, "Content-Type": kind})


def not_found() -> Response:
    return _html("unknown.html", status=404)


def _content(outbox: TheOutbox, email_id: UUID) -> Document:
    content: Document = json.loads(sending.find(outbox, str(email_id))["content"])
    return content


def _html(template: str, status: int = 200, **facts: Any) -> Response:
    return HTMLResponse(templates.get_template(template).render(**facts), status, SAFETY)
