"""What a dead letter is, and what goes out when somebody decides about it. Pure: bytes in, bytes out.

open ──redrive, edit──► redriven ──its event is in the inbox──► settled
  ▲ │                      ├──────it is back here─────────────► died_again, and a new letter is open
  │ └──discard──► discarded│
  └──────────reopen────────┘ when it was not heard of for longer than the whole ladder
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from courtside_contracts.envelope import CONTENT_TYPE, SPEC_VERSION, Envelope, Event, MalformedEnvelope, rfc3339
from services.chassis import problems
from services.chassis.outbox import RelayOff
from services.chassis.retrying import KEY_WAS_NULL, OMITTED, REDRIVE_COUNT, REDRIVEN_FROM, Ladder, first_headers
from services.chassis.verbatim import RawHeaders, Verbatim

State = Literal["open", "redriven", "settled", "died_again", "discarded"]
Missing = Literal["omitted", "erased"]
"""Why a value is not there that the record had: too large for the topic, or its subject asked to be forgotten."""

CANARY = 10
"""Of a group, so many go first; the rest follows when all of them ended well."""
CAUSATION_ID = "ce_causationid"
LOST_AFTER = Ladder("").longest + timedelta(hours=1)
"""What was redriven has been through the whole ladder by then, or is lost: its topic was deleted, its retention was too short."""
COUNT_DIGITS_MAX = 6
"""A header that claims more than a million is not ours."""


class DeadLetterNotFound(problems.NotFound):
    """There is no such dead letter in this service."""


class DeadLetterDecided(problems.Conflict):
    """It was redriven, edited or discarded before; `state` says what came of it, `successor_id` names the letter if it died again."""


class TypeNotHandled(problems.Invalid):
    """Events of that type are passed over here, so sending one would change nothing; `types` lists those that are handled."""


class EventNotValid(problems.Invalid):
    """The new value is no event of its type; `errors` says where."""


class TooLargeToSend(problems.Invalid):
    """With the headers that a redrive adds, no retry topic takes a record of this size, or its value was left out for its size before."""


class ValueErased(problems.Invalid):
    """Whom it told of has asked to be forgotten, so its value is gone: all that is left is to discard it."""


class NeitherKeyNorValue(problems.Invalid):
    """Nobody can write such a record to Kafka again: edit it, or discard it."""


class DeadLetterNotRedriven(problems.Conflict):
    """Only what was sent again can be lost on its way; `state` says what this one is."""


class StillOnItsWay(problems.Conflict):
    """It may wait in a retry topic until `lost_at`; only then can it be opened again."""


class RedriveNotFound(problems.NotFound):
    """There is no such redrive in this service."""


class NothingToRedrive(problems.Conflict):
    """No open dead letter meets these filters."""


class RedriveUnderWay(problems.Conflict):
    """One group at a time: wait for `redrive_id`, or halt it."""


class RedriveEnded(problems.Conflict):
    """It has sent all that it will send."""


@dataclass(frozen=True)
class Desk:
    """Whose dead letters these are: the name of the service, and the types of events that it does something with."""

    service: str
    types: Mapping[str, type[Event]]
    relays: bool = True
    """Whether our own relay carries the outbox; Debezium in its place knows nothing of records that are sent as they are."""

    @property
    def destination(self) -> str:
        """The service's own first retry tier: other services never see a redriven record."""
        ladder = Ladder(self.service)
        return ladder.topic(ladder.tiers[0])

    def require_relay(self) -> None:
        if not self.relays:
            raise RelayOff

    def kind(self, name: str | None) -> type[Event]:
        if name is None or name not in self.types:
            raise TypeNotHandled(
                f"This service does nothing with {name or 'a type that cannot be read'}.", types=[*self.types]
            )
        return self.types[name]

    def require_handled(self, letter: Letter) -> None:
        """What cannot be read may be sent, and comes back at once; what can be read and is passed over would never be heard of again."""
        if envelope_of(letter.headers):
            self.kind(letter.type)


@dataclass(frozen=True)
class Decision:
    """Who wants something done, and why. `actor_id` is the subject of their token."""

    actor_id: UUID
    reason: str


@dataclass(frozen=True)
class Letter:
    """What is needed to send one again."""

    id: UUID
    key: bytes | None
    value: bytes | None
    headers: RawHeaders
    event_id: str | None
    type: str | None
    state: State
    missing: Missing | None = None
    decided_at: datetime | None = None

    def require_not_erased(self) -> None:
        if self.missing == "erased":
            raise ValueErased("Its value was erased with the user whom it told of.")

    def require_whole(self) -> None:
        """All that Kafka needs to carry it again as it was."""
        self.require_not_erased()
        if self.missing:
            raise TooLargeToSend(
                "It was too large for the topic of dead letters, so its value was left out. Find it at its topic, "
                "partition and offset, and edit or discard this letter."
            )
        if self.key is None and self.value is None:
            raise NeitherKeyNorValue("It has neither key nor value.")

    def require_lost(self, now: datetime) -> None:
        """It was redriven, and neither took effect nor came back for longer than it can be under way."""
        if self.state != "redriven" or self.decided_at is None:
            raise DeadLetterNotRedriven(f"This dead letter is {self.state.replace('_', ' ')}.", state=self.state)
        lost_at = self.decided_at + LOST_AFTER
        if now < lost_at:
            raise StillOnItsWay("It may still be waiting for its next try.", lost_at=lost_at.isoformat())


def redriven(letter: Letter) -> Verbatim:
    """Key and headers as they were; only the attempts start anew, and two headers say that it was sent again."""
    count = first_headers(letter.headers).get(REDRIVE_COUNT, b"")
    number = int(count) if count.isdigit() and len(count) < COUNT_DIGITS_MAX else 0
    ours = {REDRIVEN_FROM: str(letter.id).encode(), REDRIVE_COUNT: str(number + 1).encode()}
    dropped = {"x-attempt", KEY_WAS_NULL, *OMITTED, *ours}
    kept = tuple(header for header in letter.headers if header[0] not in dropped)
    return Verbatim(letter.key, (*kept, *ours.items()))


def edited(letter: Letter, kind: type[Event], event_id: str, now: datetime) -> Verbatim:
    """A new event, caused by the old one. What was wrong with the old one's envelope is mended; other headers stay."""
    again = redriven(letter)
    told = _readable(again.headers)
    envelope = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": event_id,
        "ce_type": kind.type,
        "ce_source": told.get("ce_source", kind.source),
        "ce_time": _instant(told.get("ce_time")) or rfc3339(now),
        "content-type": CONTENT_TYPE,
        CAUSATION_ID: letter.event_id,
    }
    ours = {name: value.encode() for name, value in (told | envelope).items() if value}
    # An attribute that is not among ours was broken: it would send the new event back here.
    kept = (header for header in again.headers if header[0] not in ours and not _is_attribute(header[0]))
    return Verbatim(again.key, (*ours.items(), *kept))


def _is_attribute(name: str) -> bool:
    return name.startswith("ce_") or name in ("traceparent", "content-type")


def _readable(headers: RawHeaders) -> dict[str, str]:
    """Each attribute that is there once, is not empty, and is UTF-8."""
    names = [name for name, _ in headers]
    found: dict[str, str] = {}
    for name, value in headers:
        if value and _is_attribute(name) and names.count(name) == 1 and (read := as_text(value)):
            found[name] = read
    return found


def _instant(written: str | None) -> str | None:
    try:
        datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return written


def as_text(value: bytes | None) -> str | None:
    """`None` when it is not text that a database takes: not UTF-8, or with a NUL."""
    try:
        return None if value is None or b"\0" in value else value.decode()
    except UnicodeDecodeError:
        return None


def envelope_of(headers: RawHeaders) -> Envelope | None:
    try:
        return Envelope.parse(headers)
    except MalformedEnvelope:
        return None
