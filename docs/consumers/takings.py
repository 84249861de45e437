"""What each court took, added up: `python takings.py`. A sum must count each event once, so the ids of those counted are kept with it."""

import asyncio
import os
import sqlite3

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from courtside_contracts.booking import BookingConfirmed

takings = sqlite3.connect(os.environ.get("TAKINGS", "takings.sqlite"))
takings.execute("CREATE TABLE IF NOT EXISTS counted (event_id TEXT PRIMARY KEY)")
takings.execute("CREATE TABLE IF NOT EXISTS takings (court TEXT PRIMARY KEY, minor INTEGER)")

broker = KafkaBroker(os.environ.get("KAFKA", "127.0.0.1:19092"), allow_auto_create_topics=False)
bookings = broker.subscriber(
    os.environ.get("TOPIC", "booking.events"),
    group_id="takings",
    auto_offset_reset="earliest",  # the default is what comes from now on
    ack_policy=AckPolicy.NACK_ON_ERROR,  # the default commits every 5 s, what is in hand included
)


async def is_confirmed(message: KafkaMessage) -> bool:
    return message.headers.get("ce_type") == BookingConfirmed.type


@bookings(filter=is_confirmed)
async def count(booking: BookingConfirmed, message: KafkaMessage) -> None:
    with takings:  # one transaction: id and sum stand together, or neither does
        mark = takings.execute("INSERT INTO counted VALUES (?) ON CONFLICT DO NOTHING", [message.headers["ce_id"]])
        if mark.rowcount:
            add = "INSERT INTO takings VALUES (?, ?) ON CONFLICT (court) DO UPDATE SET minor = minor + excluded.minor"
            takings.execute(add, [booking.court_name, booking.price_minor])


@bookings
async def pass_over(message: KafkaMessage) -> None:
    """Other types: without this, the first of them would come again and again."""


asyncio.run(FastStream(broker).run())
