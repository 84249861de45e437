"""Every topic of an installation, with what the broker must keep: provisioned by `courtside topics apply`, never created by use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

RECORD_MAX_BYTES = 1_048_576
"""The largest value with key and headers that a service may send (Kafka's own default)."""

FAILURE_HEADERS_MAX_BYTES = 65_536
"""Room for the headers that say where and why a record failed: a record near the limit must still fit the retry topics."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`retention=None` keeps records for ever. `stamped_by` is who sets a record's time: its producer, or the broker on append."""

    name: str
    written_by: str
    """The one service that may: who reads it need ask nobody else what a record means."""
    partitions: int = 6
    retention: timedelta | None = None
    cleanup: Literal["delete", "compact"] = "delete"
    max_message_bytes: int = RECORD_MAX_BYTES
    stamped_by: Literal["producer", "broker"] = "producer"

    @property
    def configs(self) -> dict[str, str]:
        """As the broker spells it."""
        retention = -1 if self.retention is None else int(self.retention.total_seconds() * 1000)
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(retention),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime" if self.stamped_by == "broker" else "CreateTime",
        }


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a retry ladder: a record waits `delay` in this topic, and comes here at most `attempts` times."""

    name: str
    delay: timedelta
    attempts: int


BOOKING_EVENTS = Topic("booking.events", "booking")
COURT_EVENTS = Topic("court.events", "booking", partitions=3, retention=timedelta(days=365))
USER_PROFILES = Topic("user.profiles", "booking", partitions=3, cleanup="compact")
PAYMENT_EVENTS = Topic("payment.events", "payments", retention=timedelta(days=365))
NOTIFICATION_EVENTS = Topic("notification.events", "notifications", partitions=3, retention=timedelta(days=90))
POLAR_WEBHOOKS = Topic("payments.polar-webhooks", "payments", partitions=3, retention=timedelta(days=90))
RESEND_WEBHOOKS = Topic("notifications.resend-webhooks", "notifications", partitions=3, retention=timedelta(days=90))

SERVICES = ("booking", "payments", "notifications")

LADDER = (
    Tier("5s", timedelta(seconds=5), attempts=2),
    Tier("1m", timedelta(minutes=1), attempts=2),
    Tier("10m", timedelta(minutes=10), attempts=3),
    Tier("1h", timedelta(hours=1), attempts=20),
)
"""A second's hiccup, a restart, an incident, and an outage of most of a day. The name is part of the topic's, the delay may be set."""


def retry_topic(service: str, tier: str) -> Topic:
    """Stamped by the broker: a record is due at its append time plus the tier's delay, whatever the clock of who sent it says."""
    return Topic(
        f"{service}.retry.{tier}",
        service,
        partitions=3,
        retention=timedelta(days=7),
        max_message_bytes=RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES,
        stamped_by="broker",
    )


def dead_letter_topic(service: str) -> Topic:
    return Topic(
        f"{service}.dlt",
        service,
        partitions=3,
        retention=timedelta(days=90),
        max_message_bytes=RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES,
    )


def all_topics() -> tuple[Topic, ...]:
    owned = (
        BOOKING_EVENTS,
        COURT_EVENTS,
        USER_PROFILES,
        PAYMENT_EVENTS,
        NOTIFICATION_EVENTS,
        POLAR_WEBHOOKS,
        RESEND_WEBHOOKS,
    )
    ladders = tuple(retry_topic(service, tier.name) for service in SERVICES for tier in LADDER)
    return owned + ladders + tuple(dead_letter_topic(service) for service in SERVICES)
