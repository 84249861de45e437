"""What aiokafka's idempotent producer lacks, and Java's has, to outlive a partition without a leader.

Both are states inside aiokafka 0.14 that no setting reaches; `docs/decisions/0022-a-producer-that-never-gives-up.md`.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

from aiokafka import AIOKafkaProducer

METADATA_PAUSE_SECONDS = 0.1
"""Between two looks at who leads what: Java's `retry.backoff.ms`."""


def patient(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """The same, before its start.

    Its records never expire, as with Java's `delivery.timeout.ms` at its most. Else those of a partition without a leader end after one
    request's time-out, and take sequence numbers with them that the broker waits for: each later record is refused as out of order.

    And it asks for the leader ten times a second, not as fast as the broker answers, which is some 4,000 times.
    """
    producer._message_accumulator._batch_ttl = math.inf  # noqa: SLF001
    client = producer.client
    ask, asked_at = client._metadata_update, -math.inf  # noqa: SLF001

    async def ask_in_turn(*arguments: Any) -> Any:
        nonlocal asked_at
        await asyncio.sleep(max(0.0, asked_at + METADATA_PAUSE_SECONDS - time.monotonic()))
        asked_at = time.monotonic()
        return await ask(*arguments)

    client._metadata_update = ask_in_turn  # noqa: SLF001
    return producer
