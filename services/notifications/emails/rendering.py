"""From a booking to the mail about it: subject, text and HTML with the same facts, in the reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_eval_context, select_autoescape
from jinja2.nodes import EvalContext
from markupsafe import Markup

from courtside_contracts.booking import BookingConfirmed
from services.notifications.emails.domain import BOOKING_CONFIRMED, free_cancellation_until, one_line
from services.notifications.emails.formatting import Formats
from services.notifications.recipients.queries import Recipient

TEMPLATES = Path(__file__).parent / "templates"

environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class Mail:
    kind: str
    subject: str
    text: str
    html: str

    def payload(self, sender: str, to: str, booking_id: UUID) -> dict[str, Any]:
        """Resend's request. The tags come back in its webhooks, and find the mail in its dashboard."""
        tags = {"booking_id": str(booking_id), "kind": self.kind}
        return {
            "from": sender,
            "to": [to],
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "tags": [{"name": name, "value": value} for name, value in tags.items()],
        }


def booking_confirmed(booking: BookingConfirmed, to: Recipient, now: datetime) -> Mail:
    formats = Formats.of(to.locale, booking.time_zone)
    deadline = free_cancellation_until(booking)
    facts = {
        "name": one_line(to.name),
        "venue": one_line(booking.venue_name),
        "court": one_line(booking.court_name),
        "day": formats.day(booking.starts_at),
        "time": formats.time(booking.starts_at),
        "hours": formats.hours(booking.starts_at, booking.ends_at),
        "zone": formats.zone_name(booking.starts_at),
        "duration": formats.minutes(booking.starts_at, booking.ends_at),
        "price": formats.money(booking.price_minor, booking.currency),
        "reference": str(booking.booking_id),
        "deadline_day": formats.day(deadline),
        "deadline_time": formats.time(deadline),
        "deadline_zone": formats.zone_name(deadline),
    }
    return _render(BOOKING_CONFIRMED, formats.locale.language, facts, still_free=now < deadline)


def _render(kind: str, language: str, facts: Mapping[str, str], **flags: bool) -> Mail:
    """`say` is a phrase of the language with the facts in it. Where the template is HTML, the facts are escaped, the phrase is not."""
    phrases = _phrases(language)[kind]

    @pass_eval_context
    def say(context: EvalContext, phrase: str) -> str:
        words = phrases[phrase]
        return Markup(words).format(**facts) if context.autoescape else words.format(**facts)  # noqa: S704 - our own words

    def part(extension: str) -> str:
        template = environment.get_template(f"{kind}.{extension}")
        return template.render(language=language, say=say, facts=facts, **flags)

    return Mail(kind, phrases["subject"].format(**facts), part("txt"), part("html"))


@cache
def _phrases(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((TEMPLATES / "phrases" / f"{language}.toml").read_text(encoding="utf-8"))
