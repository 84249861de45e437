"""`courtside mail preview`: a mail as a player would get it, of a booking that is made up, in a file to look at."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from courtside_contracts.booking import BookingHeld
from courtside_contracts.examples import FACTS, NOON, example
from courtside_contracts.user import UserProfile
from services.notifications.emails import invitations, rendering
from services.notifications.emails.domain import OF_MONEY, Kind, Refund, Story
from services.notifications.recipients.queries import Recipient

SENDER = "Courtside <bookings@courtside.example>"
PAGE = "https://club.example/bookings/{BOOKING_ID}"

mail = typer.Typer(no_args_is_help=True, help="Mails to players.")


@mail.callback()
def _mails() -> None:
    """With one verb alone, typer would leave its name out."""


@mail.command()
def preview(
    kind: Annotated[Kind, typer.Argument(help="What the mail says.")],
    locale: Annotated[str, typer.Option(help="The reader's language and region, a BCP 47 tag.")] = "en",
    folder: Annotated[Path, typer.Option(help="Where the files are written.")] = Path(),
) -> None:
    """Write a mail as KIND.LOCALE.html and .txt, and its invitation as .ics, and say where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files(kind, locale).items():
        (folder / name).write_bytes(content)
        print(folder / name)


def files(kind: Kind, locale: str) -> dict[str, bytes]:
    """By name: what a mail program would show, and what a calendar would read."""
    profile, story = example(UserProfile), _story(kind)
    to = Recipient(profile.email, "front desk" if kind is Kind.REFUND_FAILED else profile.name, locale)
    rendered = rendering.render(story, to, NOON, PAGE)
    parts = {
        f"{kind}.{locale}.html": rendered.html.encode(),
        f"{kind}.{locale}.txt": f"Subject: {rendered.subject}\n\n{rendered.text}".encode(),
    }
    attached = invitations.attachment(story, to, SENDER, NOON)
    return parts | ({f"{kind}.{locale}.ics": b64decode(attached["content"])} if attached else {})


def _story(kind: Kind) -> Story:
    booking, money = example(BookingHeld), FACTS["amount_minor"]
    due = [{"order_id": FACTS["order_id"], "amount_minor": money, "reason": "cancelled_by_player"}]
    over = kind in (Kind.BOOKING_CANCELLED, Kind.COURT_CLOSED, *OF_MONEY)
    status = "held" if kind is Kind.BOOKING_HELD else "cancelled" if over else "confirmed"
    changes: dict[str, Any] = {"status": status, "refunds_due": due if over else []}
    refund = Refund(
        refund_id="preview",
        order_id=FACTS["order_id"],
        amount_minor=money,
        currency=booking.currency,
        failure="The card's bank refused it",
    )
    return Story.model_validate(
        {
            "kind": kind,
            "booking": booking.model_dump() | changes,
            "moved_from": _earlier(booking.starts_at),
            "reason": "Rain: the courts are flooded." if kind is Kind.COURT_CLOSED else None,
            "refund": refund if kind in OF_MONEY else None,
            "withdraws_invitation": over and kind not in OF_MONEY,
        }
    )


def _earlier(instant: datetime) -> datetime:
    return instant - timedelta(days=2)
