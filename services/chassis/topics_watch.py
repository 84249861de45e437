"""Are the topics of this process there, and such that it can work on them? Looked at from time to time, never for a probe's sake."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError

from courtside_contracts.topics import Topic
from services.chassis.health import Degraded
from services.chassis.kafka import client, refusal
from services.chassis.settings import Settings
from services.chassis.topics import Found, describe, shortcomings, weaknesses
from services.chassis.waiting import to_its_end

log = structlog.get_logger()

LOOK_SECONDS = 30.0
"""Topics change by hand, so seldom."""
LOOK_AGAIN_SECONDS = 3.0
"""While they are wrong, or the broker is away: somebody is mending it and wants to see that."""
GIVE_UP_SECONDS = 10.0
REMEDY = "`courtside topics plan` shows all, `courtside topics apply` mends it"


class WrongTopics(Exception):
    """What is wrong with which topic, and the command that mends it."""


class BrokerRefuses(Exception):
    """It is there, and does not know us, or we do not trust it."""


class TopicsWatch:
    """Knows the answer before it is asked: a probe must cost nothing at the broker."""

    def __init__(self, settings: Settings, topics: Collection[Topic]) -> None:
        self._settings = settings
        self._topics = {settings.topic_prefix + topic.name: topic for topic in topics}
        self._trouble: Exception | None = WrongTopics("the topics have not been looked at yet")

    async def verdict(self) -> str:
        """Raises `WrongTopics` or `BrokerRefuses`, and `Degraded` when the broker is away or keeps records less safely than it should."""
        if self._trouble:
            raise self._trouble.with_traceback(None)  # or each probe would lengthen it
        return f"{len(self._topics)} topics are as they must be"

    async def keep(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_AGAIN_SECONDS if self._trouble else LOOK_SECONDS)

    async def look(self) -> None:
        known, self._trouble = self._trouble, await self._find_trouble()
        if self._trouble and str(self._trouble) != str(known):
            log.warning("topics", trouble=str(self._trouble))

    async def _find_trouble(self) -> Exception | None:
        try:
            found = await asyncio.wait_for(self._describe(), GIVE_UP_SECONDS)
        except TopicAuthorizationFailedError as error:
            return WrongTopics(f"{error}: this user may not read the topic's configuration; `courtside topics acls`")
        except Exception as error:  # noqa: BLE001 - a look at something may fail in any way, and ends no process
            if why := await refusal(self._settings):
                return BrokerRefuses(f"the broker does not let this user in: {why}")
            return Degraded(f"not known: the broker does not say ({type(error).__name__})")
        wrong = [
            f"{name} {what}" for name, topic in self._topics.items() for what in shortcomings(topic, found.get(name))
        ]
        if wrong:
            return WrongTopics(f"{'; '.join(wrong)}. {REMEDY}")
        insync = self._settings.min_insync_replicas
        weak = [f"{name} {what}" for name in self._topics for what in weaknesses(found[name], insync)]
        return Degraded(f"{'; '.join(weak)}. {REMEDY}") if weak else None

    async def _describe(self) -> dict[str, Found]:
        admin = AIOKafkaAdminClient(**client(self._settings), client_id=f"{self._settings.service}-topics")
        try:
            await to_its_end(admin.start())
            return await describe(admin, self._topics)
        finally:
            await admin.close()
