from __future__ import annotations

import pytest

from services.chassis.etags import matches
from services.chassis.limits import Limit, Taken, network

WRITES = Limit("user-writes", 30)


@pytest.mark.parametrize(
    ("refused", "full_in_seconds", "state"),
    [
        (False, 2.0, '"user-writes";r=29;t=2'),
        (False, 58.5, '"user-writes";r=0;t=59'),
        (False, 60.0, '"user-writes";r=0;t=60'),
        (True, 59.0, '"user-writes";r=0;t=59'),
    ],
)
def test_the_header_tells_what_is_left(refused: bool, full_in_seconds: float, state: str) -> None:
    assert Taken(WRITES, refused, full_in_seconds).state == state


@pytest.mark.parametrize(("full_in_seconds", "wait"), [(58.1, 1), (59.5, 2), (60.0, 2)])
def test_the_next_request_may_come_when_there_is_room_for_its_step(full_in_seconds: float, wait: int) -> None:
    assert Taken(WRITES, refused=True, full_in_seconds=full_in_seconds).retry_after_seconds == wait


def test_an_ipv6_user_is_a_whole_network() -> None:
    assert network("2001:db8:1:2:aaaa::1") == network("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert network("192.0.2.7") == "192.0.2.7"
    assert network("testclient") == "testclient"


@pytest.mark.parametrize(
    ("if_none_match", "current"),
    [(None, False), ('"3"', True), ('W/"3"', True), ('"1", "3"', True), ("*", True), ('"2"', False), ("3", False)],
)
def test_only_the_version_that_the_client_has_is_not_sent_again(if_none_match: str | None, current: bool) -> None:
    assert matches(if_none_match, '"3"') is current
