"""How every client of the broker connects: the one place that knows."""

from __future__ import annotations

from typing import Any

from services.chassis.settings import Settings


def client(settings: Settings) -> dict[str, Any]:
    """For aiokafka's producer, consumer and admin client alike: `AIOKafkaProducer(**client(settings), client_id=...)`."""
    return {"bootstrap_servers": settings.kafka_bootstrap}
