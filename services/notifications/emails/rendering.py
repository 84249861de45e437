"""From a story to the mail that tells it: subject, text and HTML with the same facts, in the reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_eval_context, select_autoescape
from jinja2.nodes import EvalContext
from markupsafe import Markup

from services.notifications.emails.domain import (
    REASON_MAX_CHARS,
    Story,
    free_cancellation_until,
    one_line,
)
from services.notifications.emails.formatting import Formats
from services.notifications.emails.letters import letter
from services.notifications.recipients.queries import Recipient

TEMPLATES = Path(__file__).parent / "templates"
PAGE_OF = "{BOOKING_ID}"

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
    subject: str
    text: str
    html: str


def render(story: Story, to: Recipient, now: datetime, booking_page: str | None = None) -> Mail:
    """`booking_page` is an address with `{BOOKING_ID}` in it, where a player sees the booking, and pays for it."""
    formats = Formats.of(to.locale, story.booking.time_zone)
    facts = _facts(story, formats) | {"name": one_line(to.name)}
    phrases = _phrases(formats.locale.language)
    words = {**phrases["every-mail"], **phrases[story.kind]}
    page = booking_page.replace(PAGE_OF, str(story.booking.booking_id)) if booking_page else None

    @pass_eval_context
    def say(context: EvalContext, phrase: str) -> str:
        """A phrase of the language with the facts in it. Where the template is HTML, the facts are escaped, the phrase is not."""
        said = words[phrase]
        return Markup(said).format(**facts) if context.autoescape else said.format(**facts)  # noqa: S704 - our own words

    def part(extension: str) -> str:
        template = environment.get_template(f"letter.{extension}")
        content = letter(story, now)
        return template.render(language=formats.locale.language, say=say, facts=facts, letter=content, page=page)

    return Mail(words["subject"].format(**facts), part("txt"), part("html"))


def _facts(story: Story, formats: Formats) -> dict[str, str]:
    booking = story.booking
    return {
        "venue": one_line(booking.venue_name),
        "court": one_line(booking.court_name),
        "day": formats.day(booking.starts_at),
        "time": formats.time(booking.starts_at),
        "hours": formats.hours(booking.starts_at, booking.ends_at),
        "zone": formats.zone_name(booking.starts_at),
        "duration": formats.minutes(booking.starts_at, booking.ends_at),
        "price": formats.money(booking.price_minor, booking.currency),
        "reference": str(booking.booking_id),
        **_deadlines(story, formats),
        **_particulars(story, formats),
    }


def _deadlines(story: Story, formats: Formats) -> dict[str, str]:
    booking = story.booking
    free_until, pay_until = free_cancellation_until(booking), booking.hold_expires_at or booking.starts_at
    return {
        "window": formats.whole_hours(booking.cancellation_window_hours),
        "free_until": formats.moment(free_until),
        "free_until_zone": formats.zone_name(free_until),
        "pay_until": formats.moment(pay_until),
        "pay_until_time": formats.time(pay_until),
        "pay_until_zone": formats.zone_name(pay_until),
    }


def _particulars(story: Story, formats: Formats) -> dict[str, str]:
    """Empty where the story is about something else."""
    due, refund = story.booking.refunds_due, story.refund
    return {
        "moved_from": formats.moment(story.moved_from) if story.moved_from else "",
        "reason": one_line(story.reason or "", REASON_MAX_CHARS),
        "refund_due": formats.money(sum(one.amount_minor for one in due), story.booking.currency),
        "refund": formats.money(refund.amount_minor, refund.currency) if refund else "",
        "order": one_line(refund.order_id) if refund else "",
        "failure": one_line(refund.failure, REASON_MAX_CHARS) if refund else "",
    }


@cache
def _phrases(language: str) -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads((TEMPLATES / "phrases" / f"{language}.toml").read_text(encoding="utf-8"))
