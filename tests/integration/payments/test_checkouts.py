"""A slot is held: its player gets one page to pay at, whatever breaks on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy.exc import IntegrityError

from courtside_contracts.payment import PaymentCheckoutOpened
from services.chassis.consuming import AlreadyHandled
from services.chassis.retrying import Fatal, Transient
from services.payments.actions import Polar
from services.payments.checkouts import actions, mutations
from services.payments.checkouts.consumers import open_checkout
from services.payments.checkouts.domain import Intent
from services.payments.settings import PaymentsSettings
from tests.integration.payments.builders import Payments, Player, player


async def test_a_held_slot_gets_a_page_to_pay_at(payments: Payments) -> None:
    ana = await payments.know(player(price_minor=3600))
    await payments.hold(ana)

    [checkout] = await payments.checkouts_at_polar(ana)
    assert (checkout.amount, checkout.currency, checkout.allow_discount_codes) == (3600, "eur", False)
    assert checkout.success_url == f"https://club.test/bookings/{ana.booking_id}"
    [event] = await payments.events(PaymentCheckoutOpened, ana.booking_id)
    assert (event.checkout_url, event.amount_minor, event.currency) == (checkout.url, 3600, "EUR")
    assert checkout.metadata == {"booking_id": str(ana.booking_id), "attempt_id": str(event.attempt_id)}
    attempt = await payments.attempt(ana)
    assert (attempt["id"], attempt["state"], attempt["checkout_id"]) == (event.attempt_id, "open", checkout.id)


async def test_a_hold_that_is_told_of_again_opens_no_second_page(payments: Payments) -> None:
    ana = await payments.know(player())
    await payments.hold(ana, "event-of-" + ana.email)
    await payments.hold(ana, "event-of-" + ana.email)
    await payments.hold(ana, "the-same-fact-under-another-id-" + ana.email)

    assert len(await payments.checkouts_at_polar(ana)) == 1
    assert len(await payments.events(PaymentCheckoutOpened, ana.booking_id)) == 1


async def test_a_hold_told_of_to_two_processes_at_once_shows_one_page(payments: Payments) -> None:
    ana = await payments.know(player())
    deliveries = (payments.delivery(ana.held, "event-of-" + ana.email) for _ in range(4))
    outcomes = await asyncio.gather(
        *(open_checkout(delivery, payments.polar) for delivery in deliveries), return_exceptions=True
    )

    assert all(outcome is None or isinstance(outcome, AlreadyHandled) for outcome in outcomes)
    [event] = await payments.events(PaymentCheckoutOpened, ana.booking_id)
    attempt = await payments.attempt(ana)
    assert (attempt["checkout_url"], attempt["id"]) == (event.checkout_url, event.attempt_id)


async def test_a_checkout_made_before_the_process_was_killed_is_found_again(payments: Payments) -> None:
    ana = await payments.know(player())
    intent = await intended(payments, ana)
    made = await actions.create(payments.polar, intent)  # and here the process dies

    await payments.hold(ana)

    assert [checkout.id for checkout in await payments.checkouts_at_polar(ana)] == [made.id]
    [event] = await payments.events(PaymentCheckoutOpened, ana.booking_id)
    assert (event.checkout_url, event.attempt_id) == (made.url, intent.quote.attempt_id)


async def test_a_process_killed_before_the_call_leaves_it_to_the_next(payments: Payments) -> None:
    ana = await payments.know(player())
    intent = await intended(payments, ana)

    await payments.hold(ana)

    [event] = await payments.events(PaymentCheckoutOpened, ana.booking_id)
    assert event.attempt_id == intent.quote.attempt_id


async def test_a_checkout_whose_answer_got_lost_is_found_again(payments: Payments) -> None:
    ana = await payments.know(player())
    async with answers_lost(payments.settings) as polar:
        with pytest.raises(Transient):
            await open_checkout(payments.delivery(ana.held), polar)
    [made] = await payments.checkouts_at_polar(ana)
    assert await payments.events(PaymentCheckoutOpened, ana.booking_id) == []

    await payments.hold(ana)

    assert [checkout.id for checkout in await payments.checkouts_at_polar(ana)] == [made.id]
    [event] = await payments.events(PaymentCheckoutOpened, ana.booking_id)
    assert event.checkout_url == made.url


async def test_a_hold_that_is_over_is_not_opened(payments: Payments) -> None:
    ana = await payments.know(player(hold_ends_in=timedelta(seconds=-1)))
    await payments.hold(ana)

    assert await payments.checkouts_at_polar(ana) == []
    assert await payments.rows("SELECT id FROM payment_attempts WHERE booking_id = :id", id=ana.booking_id) == []


async def test_an_attempt_whose_hold_ended_while_polar_was_away_lapses(payments: Payments) -> None:
    ana = await payments.know(player())
    await intended(payments, ana)
    over = replace(ana, held=ana.held.model_copy(update={"hold_expires_at": ana.held.starts_at - timedelta(days=3)}))

    await payments.hold(over)

    assert (await payments.attempt(ana))["state"] == "lapsed"
    assert await payments.events(PaymentCheckoutOpened, ana.booking_id) == []


async def test_without_a_profile_the_hold_comes_again_later(payments: Payments) -> None:
    ana = player()
    with pytest.raises(Transient):
        await payments.hold(ana)
    assert await payments.rows("SELECT id FROM payment_attempts WHERE booking_id = :id", id=ana.booking_id) == []

    await payments.hold(await payments.know(ana))
    assert len(await payments.events(PaymentCheckoutOpened, ana.booking_id)) == 1


async def test_a_profile_that_changes_is_followed(payments: Payments) -> None:
    ana = await payments.know(player())
    moved = ana.profile.model_copy(update={"email": "moved-" + ana.email, "version": 2})
    ana = await payments.know(replace(ana, profile=moved))
    await payments.hold(ana)
    [checkout] = await payments.checkouts_at_polar(ana)
    assert checkout.customer_email == moved.email


async def test_what_polar_refuses_needs_a_person(payments: Payments) -> None:
    """30 cents are below what Polar charges: no retry mends that."""
    ana = await payments.know(player(price_minor=30))
    with pytest.raises(Fatal, match="Polar refused: 422 body"):
        await payments.hold(ana)
    assert (await payments.attempt(ana))["state"] == "creating"


async def test_polar_away_is_a_matter_of_time(payments: Payments) -> None:
    ana = await payments.know(player())
    nowhere = Polar.connect(payments.settings.model_copy(update={"polar_base_url": "http://127.0.0.1:9"}))
    with pytest.raises(Transient, match="cannot be reached"):
        await open_checkout(payments.delivery(ana.held), nowhere)
    await nowhere.close()


async def test_the_database_allows_one_open_attempt_for_each_booking(payments: Payments) -> None:
    ana = player()
    await payments.opened(ana)
    copied = """
        INSERT INTO payment_attempts (id, booking_id, state, amount_minor, currency, created_at, changed_at)
        SELECT gen_random_uuid(), booking_id, 'creating', amount_minor, currency, now(), now()
        FROM payment_attempts WHERE booking_id = :id
    """
    with pytest.raises(IntegrityError, match="payment_attempts_one_open"):
        await payments.change(copied, id=ana.booking_id)


async def intended(payments: Payments, ana: Player) -> Intent:
    async with payments.chassis.unit_of_work() as work:
        intent = await mutations.intend(work, ana.held)
    assert intent is not None
    return intent


@asynccontextmanager
async def answers_lost(settings: PaymentsSettings) -> AsyncIterator[Polar]:
    """A way to Polar on which requests arrive and answers do not."""
    there = urlsplit(settings.polar_base_url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, onward = await asyncio.open_connection(there.hostname, there.port)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
            onward.write(head + await reader.readexactly(length))
            await back.readline()
        finally:
            writer.transport.abort()
            onward.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    lossy = Polar.connect(settings.model_copy(update={"polar_base_url": base_url}))
    try:
        yield lossy
    finally:
        await lossy.close()
        server.close()
