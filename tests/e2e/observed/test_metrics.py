"""What dashboards and alert rules ask for is there: on the pages of the three processes as they run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.environment import SERVICES
from services.booking.bookings.domain import Reason
from services.chassis.limits import REFUSED
from services.chassis.pipeline import ROUTED
from services.payments.orders.domain import Mismatch
from tests.e2e.conftest import finished
from tests.e2e.observed.conftest import Observed
from tests.prometheus import OBSERVABILITY, expressions

pytestmark = pytest.mark.slow  # beside a whole system

NAME = re.compile(r"\bcourtside_\w+")
SELECTED = re.compile(r"(courtside_\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"')
TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
AGGREGATION = re.compile(r"\b(?:sum|max|min|avg|count)\s*(?:by\s*\(([^)]*)\)\s*)?\(")
"""Which labels it leaves, up to where its body begins."""
NOT_READ = re.compile(r"\)\s*by\b|\b(?:without|on|ignoring|group_left|group_right|topk|bottomk)\b")
"""What these tests do not understand. Nobody asks so; who wants to teaches them."""
LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
FROM_THE_SCRAPE = {"service", "role", "instance", "job"}

MAY_BE_UNTOLD = {
    "courtside_rate_limited_total": REFUSED,  # no limit is so low that a day like this one meets it
    "courtside_records_routed_total": ROUTED,  # on a good day no record fails; an alarm asks for its rate, where the first is nothing
}
"""Until they happen. Their labels are those of their declarations."""

Told = Mapping[str, Mapping[str, set[str]]]
"""The values of each label, by name of the metric."""


def asked() -> Iterator[tuple[str, str]]:
    """Expression and legend of all panels; alerts have no legend, and `alerts.test.yml` reads what they say."""
    yield from ((expression, "") for expression in expressions().values())
    for file in (OBSERVABILITY / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(file.read_text())["panels"]:
            yield from ((target["expr"], target["legendFormat"]) for target in panel["targets"])


def in_vain(expression: str, legend: str, told: Told) -> list[str]:
    """What is asked for and never answered."""
    if untold := set(NAME.findall(expression)) - told.keys():
        return [f"nobody tells {name}" for name in sorted(untold)]
    bare = TEXT.sub('""', expression)
    assert not NOT_READ.search(bare), expression
    lost = set(LEGEND.findall(legend)) - carried(bare, told)
    return [
        *unmatched(expression, told),
        *ungrouped(bare, told),
        *(f"no {label} is left for the legend" for label in sorted(lost)),
    ]


def unmatched(expression: str, told: Told) -> Iterator[str]:
    for name, matchers in SELECTED.findall(expression):
        for label, sign, value in MATCHER.findall(matchers):
            if label in FROM_THE_SCRAPE:
                continue
            if label not in told[name]:
                yield f"{name} has no {label}"
            elif sign == "=" and value not in told[name][label] and name not in MAY_BE_UNTOLD:
                yield f"{name} never has the {label} {value}"


def ungrouped(bare: str, told: Told) -> Iterator[str]:
    for labels, body in outermost(bare):
        yield from (f"no {label} to group by in {body}" for label in sorted(labels - carried(body, told)))
        yield from ungrouped(body, told)


def carried(bare: str, told: Told) -> set[str]:
    """The labels of its result: what the outermost aggregations leave, or all of its metrics' own."""
    if left := [labels for labels, _ in outermost(bare)]:
        return set.intersection(*left)
    own = [set(told[name]) for name in NAME.findall(bare)]
    return FROM_THE_SCRAPE.union(set.intersection(*own) if own else ())


def outermost(bare: str) -> Iterator[tuple[set[str], str]]:
    """Aggregations that are within no other one: their labels and their bodies."""
    at = 0
    while found := AGGREGATION.search(bare, at):
        at = closing(bare, found.end())
        yield set(re.findall(r"\w+", found[1] or "")), bare[found.end() : at]


def closing(bare: str, at: int) -> int:
    """Where the parenthesis ends that was opened before."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(bare[at], 0)
        at += 1
    return at - 1


async def pages(club: Observed) -> dict[str, dict[str, set[str]]]:
    """What has a sample: who only announces a metric tells nothing."""
    told: dict[str, dict[str, set[str]]] = {}
    for service in SERVICES:
        page = (await club.client.get(f"{club.url(service)}/metrics")).text
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                values = told.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    values.setdefault(label, set()).add(value)
    return told


async def pays_and_cancels(club: Observed) -> None:
    player = club.player()
    booking_id, _ = await player.hold(club.slots)
    await player.pay(await player.open_checkout(booking_id))
    await player.await_confirmation(booking_id)
    cancelled = await club.ask(player, "POST", f"/v1/bookings/{booking_id}/cancel", json={})
    assert cancelled.status_code == 200, cancelled.text


async def test_each_metric_that_is_asked_for_is_told(observed: Observed) -> None:
    await finished(await observed.demo())
    await pays_and_cancels(observed)
    told = await pages(observed)
    for name, declared in MAY_BE_UNTOLD.items():
        told.setdefault(name, {label: set() for label in declared._labelnames})
    vain = {expression: found for expression, legend in asked() if (found := in_vain(expression, legend, told))}
    assert vain == {}


@pytest.mark.parametrize(
    ("name", "reasons"),
    [("courtside_refunds_owed_total", Reason), ("courtside_orders_quarantined_total", Mismatch)],
)
async def test_the_first_of_each_reason_is_an_increase(observed: Observed, name: str, reasons: object) -> None:
    """It is told before it happens: of a series that begins with its first, `increase` never sees that one."""
    assert (await pages(observed))[name]["reason"] == set(get_args(reasons))


def test_whoever_may_be_untold_is_asked_for() -> None:
    assert MAY_BE_UNTOLD.keys() <= {name for expression, _ in asked() for name in NAME.findall(expression)}


REQUESTS = {"courtside_requests_total": {"route": {"/v1/bookings"}, "status": {"200"}}}


@pytest.mark.parametrize(
    ("expression", "legend", "found"),
    [
        ('sum by (service, route) (rate(courtside_requests_total{status=~"5.."}[5m]))', "{{service}} {{route}}", []),
        ("rate(courtside_requests_total[5m])", "{{route}} of {{instance}}", []),
        ('sum(courtside_requests_total{status="200"}) / sum(courtside_requests_total)', "share", []),
        ("sum(courtside_request_total)", "", ["nobody tells courtside_request_total"]),
        ('courtside_requests_total{path="x"}', "", ["courtside_requests_total has no path"]),
        ('courtside_requests_total{status="2xx"}', "", ["courtside_requests_total never has the status 2xx"]),
        ("max by (path) (courtside_requests_total)", "", ["no path to group by in courtside_requests_total"]),
        (
            "sum by (route) (max by (status) (courtside_requests_total))",
            "",
            ["no route to group by in max by (status) (courtside_requests_total)"],
        ),
        ("sum by (route) (courtside_requests_total)", "{{status}}", ["no status is left for the legend"]),
        ("sum(courtside_requests_total)", "{{route}}", ["no route is left for the legend"]),
    ],
)
def test_a_question_without_an_answer_is_found(expression: str, legend: str, found: list[str]) -> None:
    assert in_vain(expression, legend, REQUESTS) == found


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
