"""Makes the topics that `courtside_contracts.topics` names: `python -m deploy.topics apply`. Safe to run again."""

from __future__ import annotations

import asyncio
import os
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from courtside_contracts.topics import Topic, all_topics

REPLICATION = int(os.environ.get("COURTSIDE_REPLICATION_FACTOR", "1"))


def new_topic(topic: Topic, prefix: str, partitions: int | None = None) -> NewTopic:
    retention = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    return NewTopic(
        name=prefix + topic.name,
        num_partitions=partitions or topic.partitions,
        replication_factor=REPLICATION,
        topic_configs={
            "cleanup.policy": topic.cleanup,
            "retention.ms": str(retention),
            "max.message.bytes": str(topic.max_message_bytes),
            "message.timestamp.type": "LogAppendTime" if topic.stamped_by == "broker" else "CreateTime",
        },
    )


async def apply(bootstrap: str, prefix: str = "") -> int:
    """How many topics were made; those that exist are left alone. Raises `KafkaError` when the broker refuses one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="courtside-topics")
    await admin.start()
    try:
        answer = await admin.create_topics([new_topic(topic, prefix) for topic in all_topics()])
    finally:
        await admin.close()
    made = 0
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)
        made += not code
    return made


def main() -> int:
    bootstrap = os.environ.get("COURTSIDE_KAFKA_BOOTSTRAP", "127.0.0.1:19092")
    if sys.argv[1:] != ["apply"]:
        print("usage: python -m deploy.topics apply", file=sys.stderr)
        return 2
    try:
        made = asyncio.run(apply(bootstrap, os.environ.get("COURTSIDE_TOPIC_PREFIX", "")))
    except KafkaError as error:
        print(f"no topics were made at {bootstrap}: {error!r}", file=sys.stderr)
        return 1
    print(f"topics: {made} made, {len(all_topics()) - made} there already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
