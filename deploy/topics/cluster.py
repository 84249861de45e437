"""The broker's side of topics and rights: aiokafka's admin client, and the requests that it lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from deploy.broker import BrokerSettings
from deploy.local.errors import WrongEnvironment
from deploy.topics.plan import Wanted
from services.chassis.kafka import client, refusal

REQUEST_TIMEOUT_MS = 15_000
SET = 0
"""The operation of an incremental change: set this, leave the rest."""
ANY = 1


class Cluster(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    async def create(self, topics: Collection[Wanted]) -> None:
        new = [NewTopic(each.name, each.partitions, each.replicas, topic_configs=dict(each.configs)) for each in topics]
        answer = await self.create_topics(new)
        for name, code, message, *_ in answer.topic_errors:
            if code != TopicAlreadyExistsError.errno:  # somebody else applies at the same time
                _raise_for(code, f"{name}: {message}")

    async def add_partitions(self, totals: Mapping[str, int]) -> None:
        await self.create_partitions({name: NewPartitions(total) for name, total in totals.items()})

    async def set_configs(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        """By topic; settings that are not named stay. (`alter_configs` would set those back to their defaults.)"""
        answer = await self._send_request(_IncrementalAlterConfigs(configs))
        for code, message, _, name in answer.resources:
            _raise_for(code, f"{name}: {message}")

    async def acls_of(self, principal: str) -> list[tuple[int, str, int, str, str, int, int]]:
        """Each as `create_acl` takes it."""
        answer = await self._send_request(DescribeAclsRequest(ANY, None, ANY, principal, None, ANY, ANY))
        _raise_for(answer.error_code, answer.error_message)
        return [(kind, name, pattern, *acl) for kind, name, pattern, acls in answer.resources for acl in acls]

    async def create_acl(self, *acl: Any) -> None:
        answer = await self._send_request(CreateAclsRequest(*acl))
        for code, message in answer.creation_responses:
            _raise_for(code, message)

    async def delete_acl(self, *acl: Any) -> None:
        answer = await self._send_request(DeleteAclsRequest(*acl))
        for code, message, _ in answer.filter_responses:
            _raise_for(code, message)


@asynccontextmanager
async def connected(settings: BrokerSettings) -> AsyncIterator[Cluster]:
    """Whatever the broker refuses is one sentence."""
    cluster = Cluster(**client(settings), client_id="courtside-topics", request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await cluster.start()
        yield cluster
    except (KafkaError, TimeoutError) as error:
        reason = await refusal(settings) or str(error) or type(error).__name__
        raise WrongEnvironment(f"the broker at {settings.kafka_bootstrap}: {reason}") from error
    finally:
        await cluster.close()


def _raise_for(code: int, message: str | None) -> None:
    if code:
        raise for_code(code)(message)


class _IncrementalAlterConfigsV0Response(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _IncrementalAlterConfigsV0(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _IncrementalAlterConfigsV0Response
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(("name", String("utf-8")), ("config_operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _IncrementalAlterConfigs(Request[_IncrementalAlterConfigsV0]):  # type: ignore[misc]
    API_KEY = 44

    def __init__(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        self._resources = [
            (ConfigResourceType.TOPIC, name, [(setting, SET, value) for setting, value in settings.items()])
            for name, settings in configs.items()
        ]

    def build(self, request_struct_class: type[_IncrementalAlterConfigsV0]) -> _IncrementalAlterConfigsV0:
        return request_struct_class(self._resources, False)  # noqa: FBT003 - a field of the protocol: not only validated
