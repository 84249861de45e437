"""The running API against its own document, as each role: what is answered is documented, whatever is asked.

The last of its folder by name: it fills the club with what it makes up, and others want to find free slots there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    content_type_conformance,
    ignored_auth,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from deploy.tokens import user_id
from services.booking.venues.seed import VENUE_ID, court_id
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot, tomorrow

DOCUMENT = Path(__file__).parents[3] / "contracts" / "openapi" / "booking.json"
EXAMPLES = 40
SEED = int(os.environ.get("SCHEMATHESIS_SEED", "2338067094"))
"""Shown in the id of each test; set the variable to run the same requests again."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]
ROLES = ("anonymous", "player", "staff", "admin")

schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
OPERATIONS = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]


@pytest.fixture(scope="module")
async def known(club: Club) -> Mapping[str, st.SearchStrategy[Any]]:
    """Values that are there, by the name of their parameter: random ids alone would never get past 404."""
    bookings = [(await club.hold(f"schema-{number}", *a_free_slot())).json()["id"] for number in range(3)]
    url: str = (await club.ask("POST", "/v1/me/calendar", "schema-0")).json()["url"]
    return {
        "booking_id": st.sampled_from(bookings),
        "court_id": st.sampled_from([str(court_id(number)) for number in range(1, 9)]),
        "venue_id": st.just(str(VENUE_ID)),
        "date": st.sampled_from([tomorrow(days).date().isoformat() for days in range(30)]),
        "from": st.just(tomorrow().isoformat()),
        "until": st.just(tomorrow(20).isoformat()),
        "user_id": st.sampled_from([str(user_id(f"schema-{number}@example.com")) for number in range(2)]),
        "starts_at": st.sampled_from([tomorrow(days).isoformat() for days in range(26, 32)]),
        "token": st.just(url.rpartition("/")[2].removesuffix(".ics")),
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed_", [SEED], ids=lambda number: f"SCHEMATHESIS_SEED={number}")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_answers_are_as_documented(
    club: Club, known: Mapping[str, st.SearchStrategy[Any]], operation: Any, role: str, seed_: int
) -> None:
    headers = {} if role == "anonymous" else {"Authorization": f"Bearer {club.token('schema-0', role)}"}

    @seed(seed_)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), data=st.data())
    def ask(case: Any, data: st.DataObject) -> None:
        for part in (case.path_parameters, case.query, case.body):
            _put_known(part, known, data.draw)
        case.call_and_validate(base_url=club.url, headers=headers, checks=CHECKS)

    ask()


def _put_known(part: Any, known: Mapping[str, st.SearchStrategy[Any]], draw: Callable[..., Any]) -> None:
    """In half of the places."""
    if not isinstance(part, dict):
        return
    for name in sorted(part.keys() & known.keys()):
        if draw(st.booleans()):
            part[name] = draw(known[name])


def test_every_operation_of_the_document_is_asked() -> None:
    written = json.loads(DOCUMENT.read_text())["paths"]
    assert len(OPERATIONS) == sum(map(len, written.values())) >= 10
