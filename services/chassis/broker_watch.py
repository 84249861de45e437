"""Do the brokers answer? Looked at now and then, not for a probe's sake: one that hangs still takes connections, and says nothing."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.chassis.health import Degraded
from services.chassis.kafka import KafkaSettings, client
from services.chassis.settings import Settings
from services.chassis.waiting import to_its_end

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""One connection and one question for each broker that we were told of."""
ANSWER_MS = 3_000


async def silent(settings: KafkaSettings, client_id: str) -> list[str]:
    """Those of the brokers we were told of that do not answer, within some seconds."""
    brokers = [(host, port) for host, port, _ in collect_hosts(settings.kafka_bootstrap, randomize=False)]
    answer = await asyncio.gather(*(_answers(settings, client_id, host, port) for host, port in brokers))
    return [f"{host}:{port}" for (host, port), answers in zip(brokers, answer, strict=True) if not answers]


async def _answers(settings: KafkaSettings, client_id: str, host: str, port: int) -> bool:
    """One that refuses us does: the check of the topics tells of that."""
    try:
        await to_its_end(_ask(settings, client_id, host, port))
    except Exception as error:  # noqa: BLE001 - a look at something may fail in any way, and ends no process
        return isinstance(error, KafkaError) and not isinstance(error, KafkaConnectionError)
    return True


async def _ask(settings: KafkaSettings, client_id: str, host: str, port: int) -> None:
    options = {name: value for name, value in client(settings).items() if name != "bootstrap_servers"}
    connection = await create_conn(host, port, client_id=client_id, request_timeout_ms=ANSWER_MS, **options)
    connection.close()  # it has asked which protocols are spoken, and was answered


class BrokerWatch:
    """Knows the answer before it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told = len(settings.kafka_bootstrap.split(","))
        self._silent: list[str] | None = None

    async def verdict(self) -> str:
        """Raises `Degraded` when fewer than half of the brokers answer: then no majority of them can elect a leader."""
        if self._silent is None:
            raise Degraded("not asked yet")
        answering = self._told - len(self._silent)
        if not answering:
            raise Degraded(f"no broker answers: {', '.join(self._silent)}")
        said = f"{answering} of {self._told} answer; not {', '.join(self._silent)}" if self._silent else "answers"
        if 2 * answering < self._told:
            raise Degraded(said)
        return said

    async def keep(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        known, self._silent = self._silent or [], await silent(self._settings, f"{self._settings.service}-health")
        if self._silent != known:
            log.warning("brokers", silent=self._silent, told=self._told)
