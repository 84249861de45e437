"""All bookings as they are now, in a table: `python diary.py`. Any event may come twice or late; its version says what is newer."""

import asyncio
import os
import sqlite3
from itertools import chain

from aiokafka import AIOKafkaConsumer

from courtside_contracts.booking import BookingEvent
from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import Envelope

TOPIC, KAFKA = os.environ.get("TOPIC", "booking.events"), os.environ.get("KAFKA", "127.0.0.1:19092")
TABLE = "CREATE TABLE IF NOT EXISTS diary (booking_id TEXT PRIMARY KEY, version INTEGER, booking TEXT)"
KEEP_THE_NEWEST = """INSERT INTO diary VALUES (?, ?, ?) ON CONFLICT (booking_id) DO UPDATE
SET version = excluded.version, booking = excluded.booking WHERE excluded.version > diary.version"""
# A new group reads the whole history, and commits offsets itself, when the work is done.
READING = {"group_id": "diary", "auto_offset_reset": "earliest", "enable_auto_commit": False}


async def main() -> None:
    diary = sqlite3.connect(os.environ.get("DIARY", "diary.sqlite"))
    diary.execute(TABLE)
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=KAFKA, **READING) as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            with diary:  # one transaction for the batch
                for record in chain.from_iterable(batches.values()):
                    kind = EVENTS.get(Envelope.parse(record.headers).type)
                    if kind and issubclass(kind, BookingEvent):  # a type that is not known yet is passed over
                        booking = kind.model_validate_json(record.value)
                        diary.execute(KEEP_THE_NEWEST, [booking.key, booking.version, record.value.decode()])
            if batches:
                await consumer.commit()  # after the diary: a crash in between repeats, and loses nothing


asyncio.run(main())
