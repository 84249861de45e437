"""Which broker the command line talks to, as whom: `COURTSIDE_KAFKA_BOOTSTRAP`, `COURTSIDE_KAFKA_SECURITY_PROTOCOL` and so on."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from deploy.local.environment import HOST, Ports
from deploy.local.errors import WrongEnvironment
from services.chassis.environment import WronglyTold, read
from services.chassis.kafka import KafkaSettings
from services.chassis.topics import all_but_one


class BrokerSettings(KafkaSettings):
    """The same variables as those of a service, under the prefix `COURTSIDE_`; without any, the broker of `courtside up`."""

    model_config = SettingsConfigDict(env_prefix="COURTSIDE_", extra="ignore", env_ignore_empty=True)

    kafka_bootstrap: str = Field(default_factory=lambda: f"{HOST}:{Ports.read(os.environ).kafka}")
    replication_factor: int = Field(default=1, ge=1)
    """On how many brokers each record lies: 3 where there are as many."""

    @property
    def insync(self) -> int:
        return self.min_insync_replicas or all_but_one(self.replication_factor)

    @classmethod
    def read(cls) -> BrokerSettings:
        try:
            return read(cls)
        except WronglyTold as error:
            raise WrongEnvironment(str(error)) from error
