"""Money that goes back slowly, not at all, or that was not asked for, at the stand-in of Polar."""

import sqlite3
from pathlib import Path

import pytest
from polar.v2026_10.errors import HTTPValidationError

from deploy.standins.polar.schema import SCHEMA
from tests.contract.running_polar import PURCHASE, RunningPolar, facts, running
from tests.contract.webhook_receiver import Receiver

pytestmark = pytest.mark.slow


async def test_a_refund_is_pending_and_then_fails(standin: RunningPolar, receiver: Receiver) -> None:
    order = await standin.buy()
    await standin.fault("refund_course", "POST", "/v1/refunds/", contains=order.id, pending_s=60, ends="failed")
    async with standin.sdk() as polar:
        assert (await polar.refunds.create(order_id=order.id, reason="other", amount=2400)).status == "pending"
        with pytest.raises(HTTPValidationError):
            await polar.refunds.create(order_id=order.id, reason="other", amount=1)
        await standin.admin("clock", advance_s=61)
        assert [each.status for each in (await polar.refunds.list(order_id=order.id)).items] == ["failed"]
        after = await polar.orders.get(order.id)
        assert (after.status, after.refundable_amount) == ("paid", 2400)
        await polar.refunds.create(order_id=order.id, reason="other", amount=2400)  # the next one goes its usual course
    story = facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE) + 5))[len(PURCHASE) :]
    assert story[:2] == [("refund.created", "pending"), ("refund.updated", "failed")]
    assert story[2:] == [
        ("refund.created", "succeeded"),
        ("order.updated", "refunded"),
        ("order.refunded", "refunded"),
    ]
    assert (await standin.look("ledger"))["balance_minor"] == 0


async def test_a_refund_is_pending_until_the_bank_says_so(standin: RunningPolar) -> None:
    order = await standin.buy()
    await standin.fault("refund_course", "POST", "/v1/refunds/")
    async with standin.sdk() as polar:
        refund = await polar.refunds.create(order_id=order.id, reason="other", amount=2400)
        await standin.admin("clock", advance_s=7 * 24 * 3600)
        assert [each.status for each in (await polar.refunds.list(order_id=order.id)).items] == ["pending"]
        assert (await standin.admin(f"refunds/{refund.id}/succeed"))["status"] == "succeeded"
        assert (await polar.orders.get(order.id)).status == "refunded"


async def test_a_refund_that_had_succeeded_comes_back(standin: RunningPolar, receiver: Receiver) -> None:
    order = await standin.buy()
    async with standin.sdk() as polar:
        refund = await polar.refunds.create(order_id=order.id, reason="other", amount=1000)
        await standin.admin(f"refunds/{refund.id}/fail")
        after = await polar.orders.get(order.id)
        assert (after.status, after.refunded_amount, after.refundable_amount) == ("paid", 0, 2400)
    story = facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE) + 5))[len(PURCHASE) + 3 :]
    assert story == [("refund.updated", "failed"), ("order.updated", "paid")]
    ledger = await standin.look("ledger")
    assert (ledger["refunds"], ledger["reversals"], ledger["balance_minor"]) == (1, 1, 2400)
    again = await standin.http.post(f"/_admin/refunds/{refund.id}/fail")
    assert (again.status_code, again.json()["error"]) == (403, "NotPermitted")


async def test_polar_gives_money_back_that_nobody_asked_for(standin: RunningPolar, receiver: Receiver) -> None:
    order = await standin.buy()
    made = await standin.admin(f"orders/{order.id}/refund", amount=400)
    assert (made["reason"], made["status"], made["amount"], made["metadata"]) == (
        "dispute_prevention",
        "succeeded",
        400,
        {},
    )
    await standin.admin(f"orders/{order.id}/refund", reason="dispute_prevention")
    async with standin.sdk() as polar:
        assert (await polar.orders.get(order.id)).status == "refunded"
        reasons = [each.reason for each in (await polar.refunds.list(order_id=order.id)).items]
        assert reasons == ["dispute_prevention"] * 2
    story = facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE) + 6))
    assert story.count(("refund.created", "succeeded")) == 2


BEFORE_THE_REVERSALS = SCHEMA.replace("'refund', 'reversal'", "'refund'").replace(
    "ends TEXT NOT NULL DEFAULT 'succeeded', ", ""
)


async def test_the_books_of_an_older_standin_are_read_on(tmp_path: Path) -> None:
    async with running(tmp_path) as standin, standin.sdk() as polar:
        order = await standin.buy()
        await standin.admin("clock", advance_s=3600)
        standin.program.stop()
        make_older(tmp_path)

        standin.program.start()
        refund = await polar.refunds.create(order_id=order.id, reason="other", amount=2400)
        await standin.admin(f"refunds/{refund.id}/fail")
        assert [each["kind"] for each in (await standin.look("ledger"))["entries"]] == ["charge", "refund", "reversal"]
        assert refund.created_at > order.created_at


def make_older(folder: Path) -> None:
    """With the tables of a version that knew no reversals."""
    [state] = folder.glob("*.sqlite")
    assert BEFORE_THE_REVERSALS != SCHEMA
    with sqlite3.connect(state) as book:
        rows = {
            name: book.execute(f"SELECT * FROM {name}").fetchall()
            for name in ("checkouts", "orders", "ledger", "clock")
        }
    book.close()
    state.unlink()
    with sqlite3.connect(state) as book:
        book.executescript(BEFORE_THE_REVERSALS + "DELETE FROM clock;")
        for name, found in rows.items():
            book.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(found[0]))})", found)
    book.close()
