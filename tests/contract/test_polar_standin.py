"""The official SDK, over HTTP, against the stand-in of Polar. The guard when either of the two changes."""

import json
import re
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from polar import PolarClientError, PolarDeserializationError, PolarNetworkError
from polar.v2026_10.errors import CheckoutsUpdate403Error, HTTPValidationError, ResourceNotFound

from deploy.standins.polar.app import V1
from deploy.standins.polar.schema import SCHEMA
from tests.contract.running_polar import PRODUCT, TOKEN, RunningPolar, running

pytestmark = pytest.mark.slow


async def test_every_call_of_a_booking_backend_is_answered_so_that_the_sdk_understands(standin: RunningPolar) -> None:
    async with standin.sdk() as polar:
        checkout = await standin.open_checkout(
            external_customer_id="player-7",
            success_url="http://club.test/thanks?checkout={CHECKOUT_ID}",
            return_url="http://club.test/back",
            allow_discount_codes=False,
            customer_metadata={"user_id": "u7"},
        )
        assert (checkout.status, checkout.amount, checkout.currency) == ("open", 2400, "eur")
        assert checkout.product_price is not None
        assert checkout.url == f"{standin.url}/checkout/{checkout.client_secret}"
        assert (await polar.checkouts.get(checkout.id)).metadata == {"booking_id": "b1"}
        assert (await polar.checkouts.update(checkout.id, metadata={"booking_id": "b2"})).metadata["booking_id"] == "b2"

        await standin.admin(f"checkouts/{checkout.id}/pay")
        orders = await polar.orders.list(metadata={"booking_id": "b2"})
        order = await polar.orders.get(orders.items[0].id)
        assert (order.status, order.paid, order.total_amount, order.checkout_id) == ("paid", True, 2400, checkout.id)
        assert order.customer.email == "ana@club.test"
        payments = await polar.payments.list(checkout_id=checkout.id)
        assert [payment.status for payment in payments.items] == ["succeeded"]

        refund = await polar.refunds.create(
            order_id=order.id, reason="customer_request", amount=400, metadata={"refund_request_id": "r1"}
        )
        assert (await polar.refunds.list(order_id=order.id)).items == [refund]
        assert (await polar.customers.get_external("player-7")).id == order.customer_id


async def test_no_route_is_left_that_the_sdk_has_not_been_tried_on(standin: RunningPolar) -> None:
    order = await standin.buy(external_customer_id="player-7")
    assert order.checkout_id is not None
    async with standin.sdk() as polar:
        endpoint = await polar.webhooks.create_webhook_endpoint(url=standin.url, format="raw", events=["order.paid"])
        await standin.buy(booking_id="b2")
        [event, *_] = (await standin.look("webhook-events"))["events"]
        for call in (
            polar.checkouts.get(order.checkout_id),
            polar.checkouts.update((await standin.open_checkout(booking_id="b3")).id, success_url="http://club.test"),
            polar.checkouts.list(),
            polar.orders.get(order.id),
            polar.payments.list(),
            polar.refunds.create(order_id=order.id, reason="duplicate", amount=2400),
            polar.refunds.list(),
            polar.customers.get_external("player-7"),
            polar.webhooks.list_webhook_deliveries(),
            polar.webhooks.redeliver_webhook_event(event["id"]),
            polar.webhooks.list_webhook_endpoints(),
            polar.webhooks.get_webhook_endpoint(endpoint.id),
            polar.webhooks.update_webhook_endpoint(endpoint.id, enabled=False),
            polar.webhooks.reset_webhook_endpoint_secret(endpoint.id),
            polar.webhooks.delete_webhook_endpoint(endpoint.id),
        ):
            await call
    asked = [f"{each['method']} {each['path']}" for each in (await standin.look("requests"))["requests"]]
    routes = [route for router in V1 for route in router.routes if isinstance(route, APIRoute)]
    known = [f"{method} {route.path}" for route in routes for method in route.methods or ()]
    assert "POST /v1/checkouts/" in known
    assert [route for route in known if not any(map(re.compile(as_pattern(route)).fullmatch, asked))] == []


def as_pattern(route: str) -> str:
    return re.sub(r"\{\w+\}", "[^/]+", route)


async def test_lists_filter_page_and_sort(standin: RunningPolar) -> None:
    opened = [await standin.open_checkout(booking_id=f"b{n}", customer_email=f"p{n}@club.test") for n in range(3)]
    await standin.admin(f"checkouts/{opened[0].id}/pay")
    async with standin.sdk() as polar:
        assert [c.id async for c in polar.checkouts.iter_list(limit=1)] == [c.id for c in reversed(opened)]
        assert [c.id async for c in polar.checkouts.iter_list(sorting=["created_at"])] == [c.id for c in opened]
        still_open = await polar.checkouts.list(status=["open", "expired"])
        assert {c.id for c in still_open.items} == {opened[1].id, opened[2].id}
        assert [c.id for c in (await polar.checkouts.list(query="P2@club")).items] == [opened[2].id]
        assert (await polar.checkouts.list(external_customer_id="nobody")).items == []

        assert (await polar.orders.list(metadata={"booking_id": "b1"})).items == []
        assert (await polar.orders.list(metadata={"it's \" not": "there"})).items == []
        hour_ago, in_an_hour = (datetime.now(UTC) + timedelta(hours=h) for h in (-1, 1))
        assert len((await polar.orders.list(created_after=hour_ago.isoformat())).items) == 1
        assert (await polar.orders.list(created_after=in_an_hour.isoformat())).items == []


async def test_metadata_filters_compare_numbers_and_booleans_as_text(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout(metadata={"court": 4, "indoor": True})
    await standin.admin(f"checkouts/{checkout.id}/pay")
    async with standin.sdk() as polar:
        assert len((await polar.orders.list(metadata={"court": "4", "indoor": "true"})).items) == 1
        assert (await polar.orders.list(metadata={"court": "4", "indoor": "false"})).items == []


BAD_CHECKOUTS: dict[str, dict[str, Any]] = {
    "no products": {"products": []},
    "product is no uuid": {"products": ["court"]},
    "unknown product": {"products": [str(uuid.uuid4())]},
    "the same product twice": {"products": [PRODUCT, PRODUCT]},
    "price below the minimum": {
        "prices": {PRODUCT: [{"amount_type": "fixed", "price_amount": 49, "price_currency": "eur"}]}
    },
    "price as text": {"prices": {PRODUCT: [{"amount_type": "fixed", "price_amount": "2400", "price_currency": "eur"}]}},
    "unknown currency": {"prices": {PRODUCT: [{"amount_type": "fixed", "price_amount": 100, "price_currency": "xxx"}]}},
    "price of another product": {"prices": {str(uuid.uuid4()): [{"amount_type": "fixed", "price_amount": 100}]}},
    "address": {"customer_email": "ana"},
    "success_url": {"success_url": "javascript:alert(1)"},
    "empty metadata value": {"metadata": {"a": ""}},
    "null metadata value": {"metadata": {"a": None}},
    "nested metadata": {"metadata": {"a": {}}},
    "long metadata key": {"metadata": {"k" * 41: "v"}},
    "long metadata value": {"metadata": {"k": "v" * 501}},
    "too much metadata": {"metadata": {f"k{n}": n for n in range(51)}},
}


@pytest.mark.parametrize("fields", BAD_CHECKOUTS.values(), ids=BAD_CHECKOUTS.keys())
async def test_a_bad_checkout_is_refused_with_the_place_of_the_fault(
    standin: RunningPolar, fields: dict[str, Any]
) -> None:
    async with standin.sdk() as polar:
        with pytest.raises(HTTPValidationError) as refused:
            await polar.checkouts.create(**{"products": [PRODUCT], **fields})
        assert refused.value.error.detail
        assert (await polar.checkouts.list()).items == []


async def test_errors_arrive_as_the_exceptions_that_the_real_polar_causes(standin: RunningPolar) -> None:
    nobody = str(uuid.uuid4())
    order = await standin.buy()
    assert order.checkout_id is not None
    async with standin.sdk() as polar, standin.sdk("polar_oat_wrong") as stranger:
        for missing in (polar.checkouts.get(nobody), polar.orders.get(nobody), polar.customers.get_external("nobody")):
            with pytest.raises(ResourceNotFound):
                await missing
        with pytest.raises(HTTPValidationError):
            await polar.orders.get("not-a-uuid")
        with pytest.raises(HTTPValidationError):
            await polar.refunds.create(order_id=nobody, reason="other", amount=1)
        with pytest.raises(HTTPValidationError):
            await polar.refunds.create(order_id=order.id, reason="dispute_prevention", amount=1)  # type: ignore[arg-type]
        with pytest.raises(CheckoutsUpdate403Error) as closed:
            await polar.checkouts.update(order.checkout_id, metadata={"a": "b"})
        assert closed.value.error.error == "NotOpenCheckout"
        with pytest.raises(PolarClientError) as unauthorized:
            await stranger.orders.list()
        assert (unauthorized.value.status_code, "invalid_token" in unauthorized.value.error) == (401, True)


async def test_a_call_without_a_token_or_in_another_version_is_turned_away(standin: RunningPolar) -> None:
    bare = await standin.http.get("/v1/orders/")
    assert (bare.status_code, bare.json()["error"]) == (401, "Unauthorized")
    other = await standin.http.get(
        "/v1/orders/", headers={"Polar-Version": "1999-01", "Authorization": f"Bearer {TOKEN}"}
    )
    assert (other.status_code, other.json()) == (404, {"detail": "Not Found"})
    assert other.headers["polar-version"] == "1999-01"
    async with standin.sdk() as polar:
        polar._client._client.headers["Polar-Version"] = "1999-01"
        with pytest.raises(PolarDeserializationError):
            await polar.orders.get(str(uuid.uuid4()))


async def test_a_dead_polar_is_a_network_error(tmp_path: Path) -> None:
    async with running(tmp_path) as standin, standin.sdk() as polar:
        standin.program.kill()
        with pytest.raises(PolarNetworkError):
            await polar.orders.list()


async def test_test_domains_can_be_refused_as_polar_does(tmp_path: Path) -> None:
    async with running(tmp_path, reject_test_domains=True) as standin:
        with pytest.raises(HTTPValidationError):
            await standin.open_checkout(customer_email="ana@example.com")


async def test_every_page_says_that_no_money_moves(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout()
    for path in ("/", checkout.url, "/checkout/unknown"):
        assert "Stand-in: no money moves" in (await standin.http.get(path)).text
    await standin.admin(f"checkouts/{checkout.id}/expire")
    page = await standin.http.get(checkout.url)
    assert (page.status_code, "Stand-in: no money moves" in page.text) == (410, True)


async def test_requests_are_recorded_without_the_token(standin: RunningPolar) -> None:
    await standin.open_checkout()
    request = (await standin.look("requests"))["requests"][0]
    assert (request["method"], request["path"], request["status"]) == ("POST", "/v1/checkouts/", 201)
    assert json.loads(request["body"])["metadata"] == {"booking_id": "b1"}
    assert TOKEN not in json.dumps(request)


def test_the_ledger_cannot_be_changed_even_by_hand(tmp_path: Path) -> None:
    book = sqlite3.connect(tmp_path / "book.sqlite", isolation_level=None)
    book.executescript(SCHEMA)
    entry = "INSERT INTO ledger (kind, order_id, checkout_id, refund_id, amount, currency, metadata, at) VALUES "
    book.execute(f"{entry} ('charge', 'o', 'c', NULL, 2400, 'eur', '{{}}', 'now')")
    for statement, reason in {
        "UPDATE ledger SET amount = 1": "append-only",
        "DELETE FROM ledger": "append-only",
        f"{entry} ('charge', 'o2', 'c', NULL, 2400, 'eur', '{{}}', 'now')": "UNIQUE",
        f"{entry} ('refund', 'o', 'c', 'r', 2401, 'eur', '{{}}', 'now')": "exceeds",
        f"{entry} ('refund', 'o', 'c', NULL, 1, 'eur', '{{}}', 'now')": "CHECK",
    }.items():
        with pytest.raises(sqlite3.IntegrityError, match=reason):
            book.execute(statement)
    book.close()
