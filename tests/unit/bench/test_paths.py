"""Where the time of a booking went, read from its trace."""

from __future__ import annotations

from tests.bench.log.paths import Step, path, steps
from tests.otlp import Told


def span(span_id: str, parent_id: str, name: str, began_at: float, ended_at: float, service: str = "booking") -> Told:
    return Told(
        service=service,
        trace_id="t",
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        kind="internal",
        attributes={},
        links=(),
        failed=False,
        events=(),
        began_at=began_at,
        ended_at=ended_at,
    )


CLICK = span("click", "", "POST /v1/bookings", 10.000, 10.004)
SEND = span("send", "click", "send t1.booking.events", 10.006, 10.009)
MAIL = span("mail", "send", "process t1.booking.events", 10.010, 10.030, "notifications")
PAGE = span("page", "send", "process t1.booking.events", 10.011, 10.050, "payments")


def test_the_way_to_a_mail_leaves_out_what_went_on_beside_it() -> None:
    assert path([CLICK, PAGE, MAIL, SEND], MAIL) == [CLICK, SEND, MAIL]


def test_each_step_lasts_until_the_next_begins_and_the_last_one_to_its_end() -> None:
    found = [Step(step.name, round(step.took_ms, 3)) for step in steps([CLICK, SEND, MAIL], "t1.")]
    assert found == [
        Step("booking: POST /v1/bookings", 6.0),
        Step("booking: send booking.events", 4.0),
        Step("notifications: process booking.events", 20.0),
    ]


def test_the_steps_are_the_whole_way() -> None:
    assert round(sum(step.took_ms for step in steps([CLICK, SEND, MAIL], "t1.")), 3) == 30.0


def test_a_span_whose_parent_did_not_come_begins_the_way() -> None:
    assert path([MAIL], MAIL) == [MAIL]
