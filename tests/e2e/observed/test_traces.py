"""One booking is one trace, from the player's request to the mail, as an OpenTelemetry collector gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from deploy.local.processes import Processes
from tests import story
from tests.e2e.conftest import System, finished
from tests.e2e.observed.conftest import Observed
from tests.otlp import Receiver, Told

pytestmark = pytest.mark.slow  # a whole system of its own

GIVE_UP_SECONDS = 60


@pytest.fixture
def traced(observed: Observed) -> System:
    return observed


@pytest.fixture
def collector(observed: Observed) -> Receiver:
    return observed.collector


async def until(collector: Receiver, what: str, enough: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not enough():  # noqa: ASYNC110 - spans come over HTTP, and nothing here is woken by them
                await asyncio.sleep(0.05)
    except TimeoutError:
        names = sorted({(span.service, span.name) for span in collector.spans})
        pytest.fail(f"{what} did not come; there are {names}")


async def booked(traced: System, collector: Receiver) -> tuple[str, list[Told]]:
    """A demo booking's id, and all spans of its trace."""
    booking_id = (await finished(await traced.demo()))["booking_id"]
    return booking_id, await story.trace_of(collector, booking_id)


async def test_one_trace_tells_of_a_booking_from_the_request_to_the_mail(traced: System, collector: Receiver) -> None:
    installation = traced.stack.installation
    _, spans = await booked(traced, collector)
    ports = {"polar_port": installation.ports.polar, "resend_port": installation.ports.resend}
    story.check(spans, prefix=installation.topic_prefix, **ports)


async def test_a_webhook_and_a_batch_are_linked_to_the_traces_that_they_bring(
    traced: System, collector: Receiver
) -> None:
    _, spans = await booked(traced, collector)
    webhook = next(span for span in spans if span.name == "polar webhook")
    ((brought_by, _),) = webhook.links

    def is_brought() -> bool:
        return any(span.name == "POST /webhooks/polar" for span in collector.of_trace(brought_by))

    await until(collector, "the request that brought the webhook", is_brought)
    for span in (span for span in spans if span.kind == "consumer"):
        ((batch_trace, batch_id),) = span.links

        def polled(trace_id: str = batch_trace, span_id: str = batch_id) -> list[Told]:
            return [one for one in collector.of_trace(trace_id) if one.span_id == span_id]

        await until(collector, "the batch", lambda polled=polled: bool(polled()))  # type: ignore[misc]  # bound now
        (batch,) = polled()
        assert (batch.name.split()[0], batch.kind) == ("poll", "client")
        assert (span.trace_id, span.parent_id) in batch.links


async def test_a_trace_says_nothing_about_the_player(traced: System, collector: Receiver) -> None:
    _, spans = await booked(traced, collector)
    said = " ".join(str((span.name, span.attributes, span.events)) for span in spans)
    assert "http.route" in said
    for private in ("@example.com", "%40example.com", "Ana", "Ruiz", "eyJ", "whsec_", "polar_oat"):
        assert private not in said


async def test_health_is_no_trace(traced: System, collector: Receiver) -> None:
    assert (await traced.client.get(traced.stack.installation.url("booking") + "/readyz")).is_success
    await booked(traced, collector)
    assert not [span for span in collector.spans if "readyz" in str((span.name, span.attributes))]


async def test_a_service_works_and_leaves_in_time_without_its_collector(traced: System) -> None:
    """A collector that is away costs spans, and nothing else."""
    stack = traced.stack
    url = await stack.start(
        "booking", "api", name="api-without-collector", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"
    )
    answer = await traced.client.get(f"{url}/v1/availability", params={"venue_id": "x"})
    assert answer.status_code == 422
    assert "traceparent" in answer.headers
    await stack.stop("api-without-collector")
    assert "opentelemetry" not in Processes(stack.processes.run, stack.processes.logs).log_tail("api-without-collector")


async def test_a_mail_that_had_to_wait_for_its_provider_is_in_the_same_trace(observed: Observed) -> None:
    stack, collector = observed.stack, observed.collector
    retries = f"send {stack.installation.topic_prefix}notifications.retry."
    await stack.stop("resend")
    booking_id = await observed.book_free()

    def of_booking() -> list[Told]:
        return [span for span in collector.spans if span.attributes.get("kafka.message.key") == booking_id]

    def put_off() -> list[Told]:
        traces = {span.trace_id for span in of_booking()}
        return [span for span in collector.spans if span.trace_id in traces and span.name.startswith(retries)]

    await until(collector, "the first retry", lambda: bool(put_off()))
    await stack.start_standin("resend", RESEND_STANDIN_RATE_PER_S="0")
    await observed.recovers()
    spans = collector.of_trace(put_off()[0].trace_id)
    tries = [span for span in spans if span.kind == "consumer" and span.service == "notifications"]
    by_attempt = {span.attributes["courtside.attempt"]: span.failed for span in tries}
    assert by_attempt[1] is True
    assert by_attempt[max(by_attempt)] is False
    assert await observed.mails(booking_id) == 1
