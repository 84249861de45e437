"""How every client of the broker connects: the one place that knows."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, Literal, Self

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from pydantic import Field, FilePath, SecretStr, model_validator

from services.chassis.environment import EnvironmentSettings

LOCAL_BOOTSTRAP = "127.0.0.1:19092"
ANSWER_MS = 5_000
"""How long one broker may take to say no."""


class KafkaSettings(EnvironmentSettings):
    """Where the broker is and who we are there, of a service and of the command line alike."""

    kafka_bootstrap: str = LOCAL_BOOTSTRAP
    """`host:port`, or several with commas."""
    topic_prefix: str = ""
    """Put before every topic and group, so that several installations share one cluster."""
    min_insync_replicas: int | None = Field(default=None, ge=1)
    """How many brokers must have a record before it counts as written; all replicas but one when not given."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """With TLS or without, with a password or without."""
    kafka_sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the password is shown to the broker."""
    kafka_username: str | None = None
    """With a `SASL_` protocol."""
    kafka_password: SecretStr | None = None
    """With a `SASL_` protocol."""
    kafka_ca_file: FilePath | None = None
    """PEM, of who signed the brokers' certificates; the system's authorities when not given."""
    kafka_certificate_file: FilePath | None = None
    """PEM, for brokers that know their clients by certificate."""
    kafka_key_file: FilePath | None = None
    """PEM, of that certificate."""

    @property
    def kafka_uses_tls(self) -> bool:
        return self.kafka_security_protocol.endswith("SSL")

    @property
    def kafka_uses_sasl(self) -> bool:
        return self.kafka_security_protocol.startswith("SASL")

    def unfit_for_production(self) -> Iterator[tuple[str, str]]:
        yield from super().unfit_for_production()
        if self.kafka_bootstrap == LOCAL_BOOTSTRAP:
            yield "kafka_bootstrap", "must name your brokers"
        known = self.kafka_uses_sasl or self.kafka_certificate_file
        if not (self.kafka_uses_tls and known):
            yield "kafka_security_protocol", "must be SASL_SSL, or SSL with a certificate of the client"

    @model_validator(mode="after")
    def _kafka_fits_together(self) -> Self:
        """A password that is given and not used would be a mistake as grave as one that is missing."""
        protocol = self.kafka_security_protocol
        user, secret = self.kafka_username, self.kafka_password and self.kafka_password.get_secret_value()
        if self.kafka_uses_sasl and not (user and secret):
            raise ValueError(f"kafka_username and kafka_password are needed with {protocol}")
        if not self.kafka_uses_sasl and (user or secret):
            raise ValueError(f"kafka_username and kafka_password are not used with {protocol}: SASL_SSL, perhaps?")
        if not self.kafka_uses_tls and (self.kafka_ca_file or self.kafka_certificate_file or self.kafka_key_file):
            raise ValueError(f"kafka_ca_file and the like are not used with {protocol}: SASL_SSL or SSL, perhaps?")
        if bool(self.kafka_certificate_file) != bool(self.kafka_key_file):
            raise ValueError("kafka_certificate_file and kafka_key_file go together")
        try:
            _tls(self)
        except OSError as error:  # SSLError is one
            raise ValueError(
                f"kafka_ca_file, kafka_certificate_file or kafka_key_file cannot be used: {error}"
            ) from error
        return self


def client(settings: KafkaSettings) -> dict[str, Any]:
    """For aiokafka's producer, consumer and admin client alike: `AIOKafkaProducer(**client(settings), client_id=...)`."""
    options = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": _tls(settings),
    }
    if settings.kafka_password:
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,  # aiokafka's name for it, also with SCRAM
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


async def refusal(settings: KafkaSettings) -> str | None:
    """Why the broker does not let us in, when that is it: aiokafka's clients only tell that they found no broker."""
    host, port, _ = collect_hosts(settings.kafka_bootstrap)[0]
    options = {name: value for name, value in client(settings).items() if name != "bootstrap_servers"}
    try:
        connection = await create_conn(host, port, request_timeout_ms=ANSWER_MS, **options)
    except (SaslAuthenticationFailed, UnsupportedSaslMechanismError, ssl.SSLCertVerificationError) as error:
        return str(error)
    except (KafkaError, OSError, TimeoutError):
        return None
    connection.close()
    return None


def _tls(settings: KafkaSettings) -> ssl.SSLContext | None:
    if not settings.kafka_uses_tls:
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_certificate_file:
        context.load_cert_chain(settings.kafka_certificate_file, settings.kafka_key_file)
    return context
