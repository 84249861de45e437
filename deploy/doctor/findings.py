"""What the doctor says: one line for each look, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from services.chassis.health import UNKNOWN

Level = Literal["ok", "warn", "fail"]

REMEDIES = {
    "process": "start it, or say where it is with --at; its log says why it ended",
    "database": "is PostgreSQL up, and the password right? Nothing is lost meanwhile: requests are refused, consumers wait",
    "migrations": "run `python -m services.<name> migrate` of the version that runs, before its processes",
    "clock": "make NTP run on that host and on the database's",
    "kafka": "is the broker up? Bookings go on, and the outbox holds their events until it is back",
    "topics": "`courtside topics plan` says what differs, `courtside topics apply` mends it",
    "outbox": "is the broker up, and a worker of this service? See its log for `relay waits for the broker`",
    "consumers": "the worker's log says what it waits for; docs/operations.md, Partitions at fault",
    "dead letters": "`courtside dead-letters groups -s <name>`, then redrive, edit or discard: docs/operations.md, Dead letters",
    "lag": "start a worker of this service, or more of them, up to one for each partition",
    "waiting": "nothing by hand: they are tried again when they are due. Mend what failed; the log of the worker says what",
    "polar": "see status.polar.sh, the access token and the network; calls begin again by themselves",
    "resend": "see resend-status.com, the API key and the network; calls begin again by themselves",
}


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    where: str
    """A process, a consumer group, or the broker."""
    check: str
    said: str

    @property
    def todo(self) -> str:
        """Empty when all is well."""
        if self.level == "ok":
            return ""
        return REMEDIES.get("database" if self.said.startswith(UNKNOWN) else self.check, "see docs/operations.md")

    def shown(self) -> dict[str, str]:
        return asdict(self) | {"todo": self.todo}
