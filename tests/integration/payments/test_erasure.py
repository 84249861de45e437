"""A user is erased: their profile is empty for good."""

from __future__ import annotations

from typing import Any

from courtside_contracts.payment import PaymentCheckoutOpened
from services.payments.profiles.mutations import forget_profile
from tests.integration.payments.builders import Payments, Player, player


async def forget(payments: Payments, known: Player) -> None:
    async with payments.chassis.unit_of_work() as work:
        await forget_profile(work, known.profile.key)


async def profile(payments: Payments, known: Player) -> dict[str, Any]:
    rows = await payments.rows("SELECT * FROM profiles WHERE user_id = :id", id=known.profile.user_id)
    assert len(rows) == 1
    return rows[0]


async def test_an_erased_user_leaves_no_word_behind(payments: Payments) -> None:
    ana = await payments.know(player())
    assert (await profile(payments, ana))["email"] == ana.email
    for _ in range(2):
        await forget(payments, ana)
    found = await profile(payments, ana)
    assert (found["email"], found["name"], found["locale"]) == (None, None, None)
    assert found["erased_at"] is not None


async def test_a_profile_that_comes_late_brings_nobody_back(payments: Payments) -> None:
    known, never_seen = await payments.know(player()), player()
    for ana in (known, never_seen):
        await forget(payments, ana)
        await payments.know(ana)
        ana.profile = ana.profile.model_copy(update={"version": 9})
        await payments.know(ana)
        assert (await profile(payments, ana))["email"] is None


async def test_a_hold_of_an_erased_user_opens_no_page(payments: Payments) -> None:
    ana = await payments.know(player())
    await forget(payments, ana)
    await payments.hold(ana)
    assert await payments.checkouts_at_polar(ana) == []
    assert await payments.events(PaymentCheckoutOpened, ana.booking_id) == []
