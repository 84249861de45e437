"""What people read: Swagger UI, the page of each problem; and answers that are not sent twice."""

from __future__ import annotations

import re

from services.chassis import problems
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot


async def test_swagger_ui_loads_nothing_from_elsewhere(club: Club) -> None:
    page = await club.ask("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for path in loaded:
        assert "//" not in path
        asset = await club.ask("GET", f"/{path}")
        assert asset.status_code == 200
        assert "nosniff" in asset.headers["x-content-type-options"]
    assert not re.search(r"<script>|onload=|style=", page.text)
    assert (await club.ask("GET", "/docs/README.md")).status_code == 404


async def test_the_document_is_served_as_it_is_committed(club: Club) -> None:
    served = (await club.ask("GET", "/openapi.json")).json()
    assert {"/v1/bookings", "/v1/availability"} <= served["paths"].keys()
    assert not [path for path in served["paths"] if path.startswith(("/docs", "/problems", "/livez"))]


async def test_the_type_of_a_problem_is_a_page_about_it(club: Club) -> None:
    refused = await club.ask("POST", "/v1/bookings", json={})
    page = await club.ask("GET", refused.json()["type"])
    assert page.headers["content-type"].startswith("text/html")
    assert "token-missing" in page.text
    assert "No bearer token came with the request." in page.text
    assert "401" in page.text


async def test_every_problem_has_its_page(club: Club) -> None:
    index = (await club.ask("GET", "/problems")).text
    linked = set(re.findall(r'href="problems/([\w-]+)"', index))
    assert len(linked) > 30
    assert {"slot-already-taken", "too-many-requests", "method-not-allowed", "not-found", "bad-request"} <= linked
    for code in linked:
        assert (await club.ask("GET", f"/problems/{code}")).status_code == 200, code
    assert linked <= problems.registry().keys()
    assert (await club.ask("GET", "/problems/unheard-of")).json()["code"] == "not-found"


async def test_a_booking_that_has_not_changed_is_not_sent_again(club: Club) -> None:
    booking = (await club.hold("frugal", *a_free_slot())).json()
    path = f"/v1/bookings/{booking['id']}"
    first = await club.ask("GET", path, "frugal")
    again = await club.ask("GET", path, "frugal", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await club.ask("POST", f"{path}/cancel", "frugal", json={})
    changed = await club.ask("GET", path, "frugal", headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["status"]) == (200, "cancelled")
    assert (await club.ask("GET", path, "browsing", headers={"If-None-Match": "*"})).status_code == 404
