"""What the broker tells of our groups is believed when it knows, and only then."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import GroupLoadInProgressError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.commit import OffsetFetchRequest

from services.chassis.lag import has_caught_up, observing
from tests.integration.chassis.conftest import Bench, Noted, until


async def test_a_group_has_caught_up_once_it_has_committed_all(bench: Bench) -> None:
    group = bench.settings.topic_prefix + bench.settings.service
    read = {group: [bench.topic]}
    await bench.publish(Noted(name="a", number=1))
    assert not await has_caught_up(bench.settings, read)
    async with bench.working():
        await bench.until_committed()
        assert await has_caught_up(bench.settings, read)
    away = bench.settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    assert not await has_caught_up(away, read)


@pytest.mark.parametrize("question", [OffsetFetchRequest, DescribeGroupsRequest])
async def test_a_coordinator_that_is_still_loading_is_not_a_group_that_has_read_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, question: type
) -> None:
    async with bench.working():
        await bench.publish(Noted(name="a", number=1))
        await bench.until_committed()
        group = bench.settings.topic_prefix + bench.settings.service
        async with observing(bench.settings, "test-observer") as observer:

            async def lag() -> int:
                return sum(standing.lag for standing in await observer.standings(group, [bench.topic]))

            assert await until("a member that has read all", lag, lambda found: found == 0) == 0
            ask = observer.admin._send_request

            async def still_loading(request: Any, *node: Any) -> Any:
                """The true answer, as it is while the coordinator reads its own topic: empty, with the error of the group."""
                answer = await ask(request, *node)
                if isinstance(request, question) and isinstance(request, OffsetFetchRequest):
                    answer.topics, answer.error_code = [], GroupLoadInProgressError.errno
                elif isinstance(request, question):
                    (told,) = answer.groups
                    answer.groups = [(GroupLoadInProgressError.errno, told[1], "", "", "", [], *told[6:])]
                return answer

            monkeypatch.setattr(observer.admin, "_send_request", still_loading)
            with pytest.raises(GroupLoadInProgressError, match=group):
                await observer.standings(group, [bench.topic])
