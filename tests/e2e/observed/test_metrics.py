"""What dashboards and alert rules ask for is there: on the pages of the three processes as they run."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.environment import SERVICES
from tests.e2e.conftest import finished
from tests.e2e.observed.conftest import Observed
from tests.prometheus import OBSERVABILITY, expressions

pytestmark = pytest.mark.slow  # beside a whole system

NAME = re.compile(r"\bcourtside_\w+")
FROM_THE_SCRAPE = {"service", "role", "instance", "job", "le"}
MATCHED = re.compile(r"(courtside_\w+)\{([^}]*)\}")


def asked() -> list[str]:
    boards = [json.loads(file.read_text()) for file in (OBSERVABILITY / "grafana" / "dashboards").glob("*.json")]
    panels = [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    return [*expressions().values(), *panels]


async def test_each_metric_that_is_asked_for_is_told(observed: Observed) -> None:
    await finished(await observed.demo())
    told: dict[str, set[str]] = {}
    for service in SERVICES:
        page = (await observed.client.get(f"{observed.url(service)}/metrics")).text
        for family in text_string_to_metric_families(page):
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
            for suffix in suffixes:
                told.setdefault(family.name + suffix, set())
            for sample in family.samples:
                told.setdefault(sample.name, set()).update(sample.labels)
    for expression in asked():
        assert set(NAME.findall(expression)) <= told.keys(), expression
        for name, matchers in MATCHED.findall(expression):
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers)) - FROM_THE_SCRAPE
            assert not told[name] or labels <= told[name], f"{name} has no {labels - told[name]}"


async def test_a_booking_is_counted_once(observed: Observed) -> None:
    async def count(fact: str) -> float:
        page = (await observed.client.get(f"{observed.url('booking')}/metrics")).text
        found = re.search(rf'^courtside_bookings_total{{fact="{fact}"}} (\S+)', page, re.MULTILINE)
        assert found, fact
        return float(found[1])

    before = [await count(fact) for fact in ("booking.held.v1", "booking.confirmed.v1")]
    await finished(await observed.demo())
    after = [await count(fact) for fact in ("booking.held.v1", "booking.confirmed.v1")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]
