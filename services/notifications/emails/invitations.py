"""A booking as an invitation that calendar programs follow: one UID for ever, each change with a higher SEQUENCE.

Source: RFC 5546, sections 3.2.2 (REQUEST) and 3.2.5 (CANCEL). The UID is that of the booking service's own calendars, so that a player
who has subscribed to those as well sees one game, not two.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress, vText

from courtside_contracts.booking import BookingEvent
from services.chassis.calendar_zones import local_or_utc, time_zone
from services.notifications.emails.domain import INVITING, Story, one_line
from services.notifications.recipients.queries import Recipient

PRODUCT = "-//Courtside//Notifications 1//EN"
FILE_NAME = "booking.ics"


def attachment(story: Story, to: Recipient, sender: str, now: datetime) -> dict[str, str] | None:
    """As Resend takes it; `None` for a mail that changes nobody's calendar."""
    if story.kind in INVITING and story.booking.status == "confirmed":
        method = "REQUEST"
    elif story.withdraws_invitation:
        method = "CANCEL"
    else:
        return None
    return {
        "filename": FILE_NAME,
        "content": b64encode(invitation(story.booking, method, to, sender, now)).decode(),
        "content_type": f"text/calendar; charset=utf-8; method={method}",
    }


def invitation(booking: BookingEvent, method: str, to: Recipient, sender: str, now: datetime) -> bytes:
    """`method` is REQUEST or CANCEL. `now` is when it was written."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(time_zone(booking.time_zone, booking.starts_at.year, booking.ends_at.year))
    calendar.add_component(_event(booking, method, to, sender, now))
    return bytes(calendar.to_ical())


def _event(booking: BookingEvent, method: str, to: Recipient, sender: str, now: datetime) -> Event:
    zone, venue = ZoneInfo(booking.time_zone), one_line(booking.venue_name)
    event = Event()
    event.add("uid", f"{booking.booking_id}@courtside")
    event.add("dtstamp", now)
    event.add("sequence", booking.version)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if method == "CANCEL" else "OPAQUE")
    event.add("dtstart", local_or_utc(booking.starts_at, zone))
    event.add("dtend", local_or_utc(booking.ends_at, zone))
    event.add("summary", f"{one_line(booking.court_name)}, {venue}")
    event.add("location", venue)
    name, address = parseaddr(sender)
    event.add("organizer", _party(address, name))
    event.add("attendee", _party(to.email, one_line(to.name), partstat="ACCEPTED", rsvp="FALSE"))
    return event


def _party(address: str, name: str, **parameters: str) -> vCalAddress:
    """Parameters cannot hold a double quote (RFC 5545, 3.2)."""
    party = vCalAddress(f"mailto:{address}")
    party.params["cn"] = vText(name.replace('"', "'"))
    party.params.update({key: vText(value) for key, value in parameters.items()})
    return party
