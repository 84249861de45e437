"""The payment service as a process, between a real Kafka, a real PostgreSQL and the stand-in: what goes in and what comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from polar.v2026_10 import PolarAsync

from courtside_contracts.payment import PaymentCheckoutOpened, PaymentSucceeded
from tests.integration.payments.builders import TOKEN, Player, player, signed, webhook
from tests.integration.payments.conftest import NewDatabase, NewTopics
from tests.integration.payments.processes import Running, running_service


@pytest.fixture(scope="module")
async def running(
    new_database: NewDatabase, new_topics: NewTopics, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    kafka, prefix = await new_topics()
    folder = tmp_path_factory.mktemp("payments")
    async with running_service(folder, await new_database("payments"), kafka, prefix) as running:
        yield running


async def test_a_hold_becomes_a_page_and_a_payment_becomes_a_fact(running: Running) -> None:
    ana = player()
    await running.say([ana.profile, ana.held])
    [opened] = await running.hear(PaymentCheckoutOpened, {ana.booking_id})
    order_id = await running.pay(ana.booking_id)
    [paid] = await running.hear(PaymentSucceeded, {ana.booking_id})

    assert (paid.attempt_id, paid.order_id, paid.amount_minor) == (opened.attempt_id, order_id, 2400)
    assert await running.standin.charges(ana.booking_id) == 1


async def test_a_profile_that_comes_after_the_hold_is_waited_for(running: Running) -> None:
    ana = player()
    await running.say([ana.held])
    await running.until_put_off(ana.booking_id)
    await running.say([ana.profile])
    assert len(await running.hear(PaymentCheckoutOpened, {ana.booking_id})) == 1


async def test_a_payment_told_of_by_many_webhooks_at_once_succeeds_once(running: Running) -> None:
    """Polar's own, and five more under ids of their own, as from a second endpoint and a redelivery."""
    ana = player()
    await running.say([ana.profile, ana.held])
    await running.hear(PaymentCheckoutOpened, {ana.booking_id})
    order_id = await running.pay(ana.booking_id)
    ids = [str(uuid4()) for _ in range(5)]
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        body = webhook("order.paid", id=order_id, checkout_id=str(uuid4()))
        answers = await asyncio.gather(
            *(client.post("/webhooks/polar", content=body, headers=signed(body, webhook_id)) for webhook_id in ids)
        )
    assert [answer.status_code for answer in answers] == [202] * 5

    handled = "SELECT count(*) = 5 FROM inbox JOIN polar_webhooks w ON event_id = w.id::text WHERE webhook_id = ANY($1)"
    await running.until(handled, ids)
    await running.until("SELECT count(*) = 0 FROM outbox")
    assert len(await running.hear(PaymentSucceeded, {ana.booking_id})) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["padel.tournament_won", "padel\0"])
async def test_webhooks_of_an_unknown_type_do_not_cost_us_the_endpoint(running: Running, kind: str) -> None:
    """Polar switches an endpoint off when ten events in a row fail there."""
    players = [player() for _ in range(4)]
    await running.say([known.profile for known in players])
    await running.say([known.held for known in players])
    await running.hear(PaymentCheckoutOpened, set(_ids(players)))
    await running.standin.pull("webhook-faults", match={}, action="unknown_type", type=kind, times="always")
    for known in players:
        await running.pay(known.booking_id)
    stored = "SELECT count(*) > 10 FROM polar_webhooks WHERE type = $1"
    await running.until(stored, kind.replace("\0", "\ufffd"))
    await running.standin.pull("webhook-faults", "DELETE")
    endpoints = (await running.standin.pull("state", "GET"))["webhook_endpoints"]
    assert [endpoint["enabled"] for endpoint in endpoints] == [True]


@pytest.mark.slow
async def test_a_service_that_is_killed_while_it_opens_pages_opens_each_once(running: Running) -> None:
    players = [player() for _ in range(20)]
    await running.say([known.profile for known in players])
    await running.say([known.held for known in players])
    await running.until("SELECT count(*) > 0 FROM payment_attempts WHERE booking_id = ANY($1)", _ids(players))
    running.program.kill()
    running.program.start()

    opened = await running.hear(PaymentCheckoutOpened, set(_ids(players)))
    urls = {event.booking_id: event.checkout_url for event in opened}
    async with PolarAsync(TOKEN, base_url=running.standin.url) as polar:
        for known in players:
            made = (await polar.checkouts.list(query=known.email)).items
            assert [checkout.url for checkout in made] == [urls[known.booking_id]]


def _ids(players: list[Player]) -> list[UUID]:
    return [known.booking_id for known in players]
