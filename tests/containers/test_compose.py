"""`docker compose up --build -d --wait`, and what a club and its operators then do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.demo import EVENTS_OF_A_BOOKING
from deploy.gateway.health import DEFAULT_PROCESSES
from deploy.local.environment import HOST
from services.booking.venues.seed import VENUE_ID
from services.chassis.http import PROTECTION
from tests import story
from tests.containers import composed
from tests.containers.composed import PATIENCE_SECONDS, CommandFailed, Compose, inspect, run, serving
from tests.e2e.conftest import finished
from tests.integration.chassis.conftest import until
from tests.otlp import receiving

pytestmark = pytest.mark.timeout(600)

EVERYWHERE = "0.0.0.0"  # noqa: S104 - containers come by way of the bridge


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Compose]:
    compose = Compose(tmp_path_factory.mktemp("compose"))
    async with compose.up():
        yield compose


async def health(client: httpx.AsyncClient, compose: Compose) -> dict[str, str]:
    """What is said of each process, with the status of the whole as ""."""
    document = await composed.health(client, compose)
    return {"": document["status"]} | {name: found["status"] for name, [found] in document["checks"].items()}


async def test_a_player_books_through_the_gateway_alone(stack: Compose) -> None:
    result = await finished(await stack.demo("--gateway", stack.gateway))
    assert [event["type"] for event in result["events"]] == list(EVENTS_OF_A_BOOKING)
    nowhere = {"COURTSIDE_KAFKA_BOOTSTRAP": f"{HOST}:1"}
    result = await finished(await stack.demo("--gateway", stack.gateway, **nowhere))
    assert result["events"] is None
    assert result["mail_ms"] > 0


async def test_the_addresses_of_make_up_serve_too(stack: Compose) -> None:
    result = await finished(await stack.demo())
    assert [event["type"] for event in result["events"]] == list(EVENTS_OF_A_BOOKING)


WELL = {"": "pass"} | dict.fromkeys(DEFAULT_PROCESSES, "pass")


@asynccontextmanager
async def stopped(compose: Compose, client: httpx.AsyncClient, *processes: str) -> AsyncIterator[None]:
    """All are well before, and again afterwards."""
    await until("all well", lambda: health(client, compose), WELL.__eq__, PATIENCE_SECONDS)
    await compose("stop", *processes)
    try:
        yield
    finally:
        await compose("start", *processes)
        await until("all well", lambda: health(client, compose), WELL.__eq__, PATIENCE_SECONDS)


async def test_the_health_of_all_is_one_document(stack: Compose, client: httpx.AsyncClient) -> None:
    async with stopped(stack, client, "notifications-worker"):
        await until("that it is missed", lambda: health(client, stack), lambda said: said[""] == "fail")
        answer = await client.get(f"{stack.gateway}/health")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/health+json")
    [found] = answer.json()["checks"]["notifications-worker"]
    assert (found["status"], found["observedValue"]) == ("fail", 0)


async def test_an_absent_service_is_a_problem_that_says_to_ask_again(stack: Compose, client: httpx.AsyncClient) -> None:
    bookings = f"{stack.gateway}/v1/bookings"
    async with stopped(stack, client, "booking-api"):
        answers = [await client.post(bookings, json={}, headers=key) for key in ({}, {"Idempotency-Key": "first-hold"})]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("unavailable", "1")


async def test_what_the_gateway_refuses_is_a_problem_with_the_requests_id(
    stack: Compose, client: httpx.AsyncClient
) -> None:
    unknown = await client.get(f"{stack.gateway}/nowhere", headers={"X-Request-Id": "asked-by-ana"})
    large = await client.post(
        f"{stack.gateway}/v1/bookings", content=b"x" * 65_537, headers={"X-Request-Id": "not one"}
    )
    assert [unknown.json()["code"], large.json()["code"]] == ["not-found", "body-too-large"]
    for answer, status in ((unknown, 404), (large, 413)):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert unknown.headers.get_list("x-request-id") == ["asked-by-ana"]
    assert len(large.headers["x-request-id"]) == 32


async def test_whatever_the_gateway_cannot_make_sense_of_is_a_problem_too(
    stack: Compose, client: httpx.AsyncClient
) -> None:
    bookings = f"{stack.gateway}/v1/bookings"
    odd = [
        (await client.request("TRACE", bookings), 405, "method-not-allowed"),
        (await client.request("FOO", bookings), 405, "method-not-allowed"),
        (await client.get(f"{bookings}?cursor={'x' * 9_000}"), 400, "bad-request"),
        (await client.get(bookings, headers={"X-Large": "x" * 9_000}), 400, "bad-request"),
        (
            await client.get(f"http://{HOST}:{stack.ports['PAYMENTS']}/x", headers={"X-Large": "x" * 9_000}),
            400,
            "bad-request",
        ),
    ]
    for answer, status, code in odd:
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["code"] == code
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/docsX", "/problemsX", "/healthX", "/v1x"])
async def test_what_only_begins_like_a_path_is_not_found(stack: Compose, client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{stack.gateway}{path}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is nothing at this path.")


@pytest.mark.parametrize("path", ["/livez", "/health", "/nowhere", "/problems/not-found/nowhere"])
async def test_a_browser_takes_no_answer_for_a_page(stack: Compose, client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(f"{stack.gateway}{path}")).headers
    assert {name: headers.get_list(name) for name in PROTECTION} == {name: [told] for name, told in PROTECTION.items()}


@pytest.mark.parametrize("odd", ["x%20y", "caf%C3%A9", "who%3Fx=y", "a%0D%0AX-Role:%20admin", "..%2Fops"])
async def test_what_is_odd_in_a_path_reaches_the_service_as_it_was_sent(
    stack: Compose, client: httpx.AsyncClient, odd: str
) -> None:
    """By the gateway and past it: the same question has the same answer, a problem document of the service."""
    path, direct = f"/v1/payments/{odd}", f"http://{HOST}:{stack.ports['PAYMENTS']}"
    answers = [await client.get(f"{direct}{path}"), await client.get(f"{stack.gateway}/payments{path}")]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json", answer.text
    first, second = ({**answer.json(), "status": answer.status_code} for answer in answers)
    assert first == second


async def test_the_doctor_asks_every_replica_of_every_process(stack: Compose, client: httpx.AsyncClient) -> None:
    async with stopped(stack, client, "payments-worker"):
        code, findings = await stack.doctor()
        lost = [one for one in findings if one["where"].startswith("payments-worker")]
        assert code == 1
        assert [(one["level"], one["check"]) for one in lost] == [("fail", "process")]
        of_workers = {one["where"] for one in findings if one["check"] == "dead letters"}
        assert of_workers == {"booking-worker", "notifications-worker"}

    async def look() -> int:
        return (await stack.doctor())[0]

    await until("a clean bill of health", look, lambda code: code == 0, PATIENCE_SECONDS)


async def test_a_broker_that_hangs_is_told_of(stack: Compose, client: httpx.AsyncClient) -> None:
    """It keeps its port open, and says nothing."""
    [broker] = await stack.containers("kafka")
    await run("docker", "pause", broker)

    async def look() -> list[str]:
        document = await composed.health(client, stack)
        return [found["output"] for [found] in document["checks"].values()]

    try:
        await until(
            "that all tell of it",
            look,
            lambda told: all("kafka" in said for said in told),
            PATIENCE_SECONDS,
        )
        code, findings = await stack.doctor()
        said = [one["said"] for one in findings if one["where"] == "broker"]
        assert (code, said) == (1, [f"no broker answers: {stack.bootstrap.split(',')[0]}"])
    finally:
        await run("docker", "unpause", broker)
    await until("all well", lambda: health(client, stack), WELL.__eq__, PATIENCE_SECONDS)


async def test_a_request_has_one_id_from_the_gateway_to_the_service(stack: Compose, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{stack.gateway}/problems/not-found", headers={"X-Request-Id": "asked-by-ben"})
    assert (answer.status_code, answer.headers.get_list("x-request-id")) == (200, ["asked-by-ben"])
    answer = await client.get(f"{stack.gateway}/v1/bookings")
    assert answer.status_code == 401
    said = await stack("logs", "--no-log-prefix", "gateway", "booking-api")
    assert len([line for line in said.splitlines() if answer.headers["x-request-id"] in line]) == 2


async def test_nobody_escapes_the_limit_by_another_address_in_a_header(
    stack: Compose, client: httpx.AsyncClient
) -> None:
    async def left(claimed: str) -> int:
        query = {"venue_id": str(VENUE_ID), "from": "2030-01-01"}
        asked = {"X-Forwarded-For": claimed}
        answer = await client.get(f"{stack.gateway}/v1/availability", params=query, headers=asked)
        return int(answer.headers["ratelimit"].split("r=")[1].split(";")[0])

    assert await left("203.0.113.2") < await left("203.0.113.1") + 1 < 600


async def test_a_flood_from_one_address_is_told_to_wait(stack: Compose, client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get(f"{stack.gateway}/problems/not-found") for _ in range(400)))
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too-many-requests", "1")

    async def look() -> int:
        return (await client.get(f"{stack.gateway}/problems/not-found")).status_code

    await until("room again", look, lambda status: status == 200)


async def test_nothing_of_a_person_is_in_the_gateways_log(stack: Compose, client: httpx.AsyncClient) -> None:
    await client.get(f"{stack.gateway}/v1/calendars/a-secret.ics?email=ana@example.com")
    await client.post(f"{stack.gateway}/v1/bookings", content=b"x" * 65_537)
    said = await stack("logs", "--no-log-prefix", "gateway")
    assert "/v1/calendars/*" in said
    assert not [word for word in ("a-secret", "ana@example.com", '"client"', "client:") if word in said]


async def test_no_process_is_root_or_can_write_where_its_code_is(stack: Compose) -> None:
    for service in ("booking-api", "payments-worker", "health", "gateway", "polar"):
        assert int(await stack("exec", "-T", service, "id", "-u")) != 0
        with pytest.raises(CommandFailed, match="Read-only file system"):
            await stack("exec", "-T", service, "bash", "-c", "echo > /usr/local/bin/ours")


async def test_a_process_that_crashes_comes_back(stack: Compose, client: httpx.AsyncClient) -> None:
    [worker] = await stack.containers("booking-worker")
    await stack("exec", "-d", "booking-worker", "bash", "-c", "kill -9 -1")

    async def look() -> tuple[int, str]:
        found = await inspect("container", worker)
        return found["RestartCount"], found["State"]["Health"]["Status"]

    await until("a fresh process", look, lambda seen: seen == (1, "healthy"), PATIENCE_SECONDS)


async def test_processes_are_scaled_and_one_of_them_killed_without_a_loss(
    stack: Compose, client: httpx.AsyncClient
) -> None:
    await stack("up", "-d", "--wait", "--scale", "booking-api=2", "--scale", "payments-worker=2")
    scaled = dict.fromkeys(DEFAULT_PROCESSES, 1) | {"booking-api": 2, "payments-worker": 2}
    await until("two of these", lambda: serving(client, stack), scaled.__eq__, PATIENCE_SECONDS)
    before, began = await stack.charges(client), datetime.now(UTC).isoformat()
    demo = await stack.demo("--gateway", stack.gateway, "--count", "20", "--concurrency", "5")
    while await stack.charges(client) - before < 5:
        assert demo.returncode is None, "the run ended before its middle"
        await asyncio.sleep(0.05)
    for service in ("booking-api", "payments-worker"):
        await run("docker", "kill", (await stack.containers(service))[0])
    result = await finished(demo)
    assert [result[name] for name in ("confirmed", "charges", "mails", "events")] == [20, 20, 20, 100]
    assert await stack.errors_shown(since=began) == []


async def test_a_booking_in_containers_is_one_trace(stack: Compose) -> None:
    async with receiving(EVERYWHERE) as collector:
        ports = {**stack.ports, "TRACES": urlsplit(collector.url).port or 0}
        traced = replace(stack, files=(*stack.files, "tests/containers/traced.yml"), ports=ports)
        await traced("up", "-d", "--wait")
        result = await finished(await traced.demo("--gateway", traced.gateway))
        spans = await story.trace_of(collector, result["booking_id"])
    story.check(spans, polar_port=8011, resend_port=8012)


async def test_the_gateway_speaks_tls_with_the_example(stack: Compose) -> None:
    authority = certify(stack.home / "tls")
    secured = replace(stack, files=(*stack.files, "deploy/compose.tls.yml"))
    await secured("up", "-d", "--wait", "--no-deps", "gateway")
    context = ssl.create_default_context(cafile=authority)
    async with httpx.AsyncClient(timeout=30, trust_env=False, verify=context) as client:
        answer = await client.get(f"https://{HOST}:{stack.ports['TLS']}/problems/not-found")
    assert answer.status_code == 200
    assert answer.headers.get_list("strict-transport-security") == ["max-age=63072000"]


async def test_https_that_ends_before_the_gateway_is_not_forgotten(stack: Compose, client: httpx.AsyncClient) -> None:
    """The gateway sees plain HTTP then, and the service knows by the address that it was told."""
    asked = f"{stack.gateway}/problems/not-found"
    assert "strict-transport-security" not in (await client.get(asked)).headers
    behind = replace(stack, told={"COURTSIDE_PUBLIC_URL": "https://api.club.example"})
    try:
        await behind("up", "-d", "--wait", "--no-deps", "booking-api")
        answer = await client.get(asked)
    finally:
        await stack("up", "-d", "--wait", "--no-deps", "booking-api")
    assert answer.headers.get_list("strict-transport-security") == ["max-age=63072000"]


def certify(folder: Path) -> Path:
    """`tls.crt` and `tls.key` for 127.0.0.1, signed by themselves. Whoever runs the gateway may read the key."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the club's gateway")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return folder / "tls.crt"
