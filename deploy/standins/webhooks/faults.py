"""The faults of webhooks: some spoil an event when it is made, others an attempt to deliver it."""

import dataclasses
import json
import random
import uuid
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deploy.standins.faults import Occasion

NEVER = 1e18  # seconds since 1970
UNHEARD_OF = "unheard_of"

Seconds = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class NewEvent:
    """Before it is written down."""

    type: str
    payload: str
    next_attempt_at: float
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "pending"


class Match(BaseModel):
    """`type` of the event, `contains` anywhere in its payload."""

    model_config = ConfigDict(extra="forbid")

    type: str = ""
    contains: str = ""

    def fits(self, event_type: str, payload: str) -> bool:
        return self.type in {"", event_type} and self.contains in payload


class WebhookFault(Occasion):
    match: Match = Match()


class FaultOfEvent(WebhookFault):
    @abstractmethod
    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        """What is written in its place."""


class Drop(FaultOfEvent):
    """Never sent by itself; a redelivery brings it."""

    action: Literal["drop"]

    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        return [dataclasses.replace(event, state="skipped")]


class Delay(FaultOfEvent):
    """Later, by the stand-in's clock; those behind it overtake."""

    action: Literal["delay"]
    delay_s: Seconds

    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        return [dataclasses.replace(event, next_attempt_at=event.next_attempt_at + self.delay_s)]


class Reorder(FaultOfEvent):
    """The next so many are held until all are there, and then go in another order, one after the other."""

    action: Literal["reorder"]
    next: Annotated[int, Field(gt=1)]
    order: Literal["reversed", "shuffled"] = "reversed"

    def is_used_up(self, fired: int) -> bool:
        return fired >= self.next

    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        return [dataclasses.replace(event, next_attempt_at=NEVER)]

    def reordered(self, places: list[int]) -> list[int]:
        if self.order == "reversed":
            return places[::-1]
        return random.Random(self.seed).sample(places, len(places))  # noqa: S311 - guards nothing


class Burst(FaultOfEvent):
    """The same fact as so many events, each with an id of its own, as two endpoints or a hiccup of Polar make them."""

    action: Literal["burst"]
    events: Annotated[int, Field(gt=1)]

    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        return [event, *(dataclasses.replace(event, id=str(uuid.uuid4())) for _ in range(self.events - 1))]


class UnknownType(FaultOfEvent):
    """Of a type that is not known yet."""

    action: Literal["unknown_type"]
    type: str = f"order.{UNHEARD_OF}"

    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        payload = {**json.loads(event.payload), "type": self.type}
        return [dataclasses.replace(event, type=self.type, payload=json.dumps(payload))]


class SchemaDrift(FaultOfEvent):
    """A field of `data` has another value, one that no SDK knows unless it is given; `missing`: it is not there."""

    action: Literal["schema_drift"]
    field: str = "status"
    value: Any = UNHEARD_OF
    missing: bool = False

    def spoilt(self, event: NewEvent) -> list[NewEvent]:
        envelope = json.loads(event.payload)
        data = {**envelope["data"], self.field: self.value}
        if self.missing:
            del data[self.field]
        return [dataclasses.replace(event, payload=json.dumps({**envelope, "data": data}))]


class FaultOfAttempt(WebhookFault):
    pass


class Duplicate(FaultOfAttempt):
    """One attempt is so many requests at once, all with the same id."""

    action: Literal["duplicate"]
    copies: Annotated[int, Field(gt=1)] = 2


class CorruptSignature(FaultOfAttempt):
    action: Literal["corrupt_signature"]


class WrongSecret(FaultOfAttempt):
    action: Literal["wrong_secret"]
    secret: str = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="  # noqa: S105 - nobody's


class OldTimestamp(FaultOfAttempt):
    """Rightly signed, so long ago: a replay."""

    action: Literal["old_timestamp"]
    age_s: float = 600.0


class Truncate(FaultOfAttempt):
    """Half of the body, signed as a whole."""

    action: Literal["truncate"]


Shape: TypeAdapter[WebhookFault] = TypeAdapter(
    Annotated[
        Drop
        | Delay
        | Reorder
        | Burst
        | UnknownType
        | SchemaDrift
        | Duplicate
        | CorruptSignature
        | WrongSecret
        | OldTimestamp
        | Truncate,
        Field(discriminator="action"),
    ]
)
