"""What the storm rages over: the processes of the services, and every link between two parts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.local.environment import SERVICES


@dataclass(frozen=True, slots=True)
class Runner:
    """One process of a service."""

    name: str
    service: str
    role: str


RUNNERS = (
    Runner("booking-api", "booking", "api"),
    Runner("booking-worker-1", "booking", "worker"),
    Runner("booking-worker-2", "booking", "worker"),
    Runner("payments-api", "payments", "api"),
    Runner("payments-worker", "payments", "worker"),
    Runner("notifications-api", "notifications", "api"),
    Runner("notifications-worker", "notifications", "worker"),
)
"""Two workers of booking: one relay stands by for the other, and the partitions move between them."""

PROCESSES = tuple(runner.name for runner in RUNNERS)
WORKERS = tuple(runner.name for runner in RUNNERS if runner.role == "worker")


def to_postgres(process: str) -> str:
    return f"{process}→postgres"


def to_kafka(service: str) -> str:
    return f"{service}→kafka"


CLIENTS = "clients→booking-api"
TO_PROVIDERS = ("payments→polar", "notifications→resend")
FROM_PROVIDERS = ("polar→payments-api", "resend→notifications-api")
TO_POSTGRES = tuple(map(to_postgres, PROCESSES))
TO_KAFKA = tuple(map(to_kafka, SERVICES))
LINKS = (CLIENTS, *TO_POSTGRES, *TO_KAFKA, *TO_PROVIDERS, *FROM_PROVIDERS)
