"""What a test tells a stand-in to do wrong: whom it strikes, how often, and until when. Which fault it is, is another file's matter."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deploy.standins.clock import Clock
from deploy.standins.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, doc TEXT NOT NULL, until REAL,
  matched INTEGER NOT NULL DEFAULT 0, fired INTEGER NOT NULL DEFAULT 0
);
"""


class Occasion(BaseModel):
    """When a fault strikes: after `skip` matches, `times` times, with this probability, for this long on the stand-in's clock.

    `times` is 1 unless said otherwise; with a probability or a duration it is "always". Chance is the same for the same seed.
    """

    model_config = ConfigDict(extra="forbid")

    times: Annotated[int, Field(gt=0)] | Literal["always"] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    for_s: Annotated[float, Field(gt=0)] | None = None

    def strikes(self, matched: int, fired: int) -> bool:
        """At the match of this number, 1 is the first, after so many strikes."""
        lucky = random.Random(f"{self.seed}/{matched}").random() < self.probability  # noqa: S311 - guards nothing
        return matched > self.skip and not self.is_used_up(fired) and lucky

    def is_used_up(self, fired: int) -> bool:
        once = self.probability == 1 and self.for_s is None
        times = self.times or (1 if once else "always")
        return times != "always" and fired >= times


FaultT = TypeVar("FaultT", bound=Occasion)


@dataclass(frozen=True)
class Strike(Generic[FaultT]):
    """The `number`-th of this fault; 1 is the first."""

    id: int
    fault: FaultT
    number: int


class Faults(Generic[FaultT]):
    """Those of one kind, in the order of their making. Durable, as everything that a stand-in knows."""

    def __init__(self, kind: str, shape: TypeAdapter[FaultT], database: Database, clock: Clock) -> None:
        self._kind, self._shape, self._database, self._clock = kind, shape, database, clock

    def add(self, told: Any) -> int:
        """Its id. pydantic's ValidationError when it is no fault."""
        fault = self._shape.validate_python(told)
        until = None if fault.for_s is None else self._clock.now() + fault.for_s
        added = self._database.execute(
            "INSERT INTO faults (kind, doc, until) VALUES (?, ?, ?)", (self._kind, fault.model_dump_json(), until)
        )
        return added.lastrowid or 0

    def next(self, fits: Callable[[FaultT], bool]) -> Strike[FaultT] | None:
        """The first that fits and whose turn it is. A match is counted also when it is not yet the fault's turn."""
        for row in self._database.rows("SELECT * FROM faults WHERE kind = ? ORDER BY id", (self._kind,)):
            fault = self._shape.validate_json(row["doc"])
            if self._is_over(row["until"]) or fault.is_used_up(row["fired"]) or not fits(fault):
                continue
            strikes = fault.strikes(row["matched"] + 1, row["fired"])
            self._database.execute(
                "UPDATE faults SET matched = matched + 1, fired = fired + ? WHERE id = ?", (strikes, row["id"])
            )
            if strikes:
                return Strike(row["id"], fault, row["fired"] + 1)
        return None

    def listed(self) -> list[dict[str, Any]]:
        rows = self._database.rows("SELECT * FROM faults WHERE kind = ? ORDER BY id", (self._kind,))
        return [self._shown(row) for row in rows]

    def clear(self, fault_id: int | None = None) -> int:
        """All of them, or this one. How many there were."""
        return self._database.execute(
            "DELETE FROM faults WHERE kind = ? AND id = COALESCE(?, id)", (self._kind, fault_id)
        ).rowcount

    def _is_over(self, until: float | None) -> bool:
        return until is not None and self._clock.now() >= until

    def _shown(self, row: Any) -> dict[str, Any]:
        told = self._shape.validate_json(row["doc"]).model_dump(mode="json", exclude_defaults=True)
        return {"id": row["id"], "matched": row["matched"], "fired": row["fired"], **told}
