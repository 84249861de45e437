"""A name that nobody knows and a certificate that is out of date: nothing was sent, the same will do later, and it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from deploy.local.environment import HOST
from services.chassis.breaker import Breaker
from services.chassis.database import Database, NoDatabase
from services.chassis.health import Check, provider_check
from services.chassis.retrying import Ladder, is_database_away, is_transient, next_hop
from services.chassis.sending import Sender
from services.notifications.emails.actions import NotTaken, Resend
from services.payments.actions import Polar
from services.payments.failures import NotDone
from services.payments.settings import PaymentsSettings
from tests.integration.chassis.conftest import WorkerSettings
from tests.integration.notifications.worker import record
from tests.unit.notifications.builders import a_booking

UNKNOWN_NAME = "no-such-host.invalid"
"""`.invalid` is no name anywhere (RFC 2606)."""
MAIL = {"from": "club@example.com", "to": ["ana@example.com"], "subject": "Hi", "text": "Hi"}
ENOUGH_TO_OPEN = 20


@pytest.fixture(scope="module")
async def out_of_date(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a server whose certificate ended yesterday."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ended_yesterday(tmp_path_factory.mktemp("certificates")))
    server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0, ssl=context)
    yield f"https://{HOST}:{server.sockets[0].getsockname()[1]}"
    server.close()


def ended_yesterday(folder: Path) -> Path:
    """Key and certificate in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(yesterday - timedelta(days=90))
        .not_valid_after(yesterday)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "ended.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


async def opens(breaker: Breaker, call: Callable[[], Awaitable[None]]) -> bool:
    """Whether enough of these calls open the breaker, and health tells of it."""
    for _ in range(ENOUGH_TO_OPEN):
        await call()
    told = await Check(provider_check(breaker).probe, "warn").run()
    return bool(told["status"] == "warn")


@pytest.fixture(params=["name", "certificate"])
def address(request: pytest.FixtureRequest, out_of_date: str) -> str:
    return f"https://{UNKNOWN_NAME}" if request.param == "name" else out_of_date


async def test_polar_is_asked_again_later_and_its_absence_is_told(address: str) -> None:
    polar = Polar.connect(
        PaymentsSettings(
            database_url=SecretStr("postgresql://nobody@localhost/none"),
            polar_base_url=address,
            polar_access_token=SecretStr("none"),
            polar_product_id=uuid4(),
        )
    )

    async def call() -> None:
        with pytest.raises(NotDone, match="Polar cannot be reached") as failed:
            async with polar.writing():
                await polar.client.orders.list(limit=1)
        assert is_transient(failed.value)

    await call()
    assert await opens(polar.breaker, call)
    await polar.close()


async def test_resend_is_asked_again_later_and_its_absence_is_told(address: str) -> None:
    resend = Resend(address, SecretStr("none"))

    async def call() -> None:
        with pytest.raises(NotTaken) as failed:
            await resend.send(MAIL, str(uuid4()))
        hop = next_hop(record(a_booking()), failed.value, Ladder("notifications"), datetime.now(UTC))
        assert hop.topic == "notifications.retry.5s"

    await call()
    assert await opens(resend.breaker, call)
    await resend.close()


async def test_a_database_that_has_no_address_is_away_and_burns_no_attempt() -> None:
    settings = WorkerSettings(database_url=SecretStr(f"postgresql://nobody@{UNKNOWN_NAME}/none"))
    database = await Database.open(settings)
    with pytest.raises(NoDatabase) as of_a_hold:
        await database.fetch("SELECT 1")
    async with database.sessions() as session:
        with pytest.raises(NoDatabase) as of_a_transaction:
            await database.connect(session)
    assert is_database_away(of_a_hold.value)
    assert is_database_away(of_a_transaction.value)
    await database.close()


async def test_a_relay_waits_for_a_broker_that_has_no_address() -> None:
    settings = WorkerSettings(
        database_url=SecretStr("postgresql://nobody@localhost/none"), kafka_bootstrap=f"{UNKNOWN_NAME}:9092"
    )
    stopping = asyncio.Event()
    starting = asyncio.create_task(Sender.start(settings, stopping))
    await asyncio.wait([starting], timeout=1.5)
    assert not starting.done(), "it goes on asking"
    stopping.set()
    assert await asyncio.wait_for(starting, 60) is None
