"""What the routes of all services ask for is there at once: nothing that a request needs is run in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import iscoroutinefunction
from types import FunctionType

import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from services.booking.app import ROUTERS as BOOKING
from services.notifications.app import ROUTERS as NOTIFICATIONS
from services.payments.app import ROUTERS as PAYMENTS


def _all(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from _all(one)


ROUTES = [route for routers in (BOOKING, NOTIFICATIONS, PAYMENTS) for router in routers for route in router.routes]


@pytest.mark.parametrize("route", [one for one in ROUTES if isinstance(one, APIRoute)], ids=lambda one: one.name)
def test_no_dependency_and_no_route_goes_through_a_thread(route: APIRoute) -> None:
    called = [route.endpoint, *(one.call for one in _all(route.dependant))]
    plain = [call for call in called if not iscoroutinefunction(call) and isinstance(call, FunctionType | type)]
    assert not plain, f"FastAPI runs these in a thread: {plain}"


def test_the_routes_are_those_of_the_services() -> None:
    assert all(isinstance(router, APIRouter) for router in (*BOOKING, *NOTIFICATIONS, *PAYMENTS))
    assert len(ROUTES) > 30
