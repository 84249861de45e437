"""A broker that lets nobody in without TLS, a password and a right: KRaft, SASL_SSL, SCRAM, StandardAuthorizer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.broker import BrokerSettings
from deploy.local.environment import HOST
from deploy.local.kafka import Listener

BROKER, OPERATOR = "broker", "operator"
"""Who may do everything: the broker itself, and whoever provisions topics and rights."""
PREFIX = "club."


@dataclass(frozen=True)
class Authority:
    """Of the tests alone: its key is never written down."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def write(self) -> None:
        builder = self._builder("courtside tests", self.key.public_key())
        ca = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file.write_bytes(ca.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> Path:
        """A certificate for this machine, with its key, in one file as Kafka wants it."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
        certificate = self._builder(name, key.public_key()).add_extension(address, critical=False)
        file = self.folder / f"{name}.pem"
        pkcs8 = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, *pkcs8)
            + certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return file

    def _builder(self, name: str, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("courtside tests"))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True)
class Security:
    """Certificates and passwords of one broker, and what each of its users must be told."""

    port: int
    authority: Authority
    passwords: dict[str, str]

    @classmethod
    def make(cls, folder: Path, port: int, users: list[str]) -> Security:
        folder.mkdir(parents=True)
        authority = Authority(folder)
        authority.write()
        return cls(port, authority, {name: secrets.token_hex(12) for name in (BROKER, OPERATOR, *users)})

    def listener(self) -> Listener:
        """The controller knows the broker by its certificate, since SCRAM's passwords are the controller's own data."""
        login = f'username="{BROKER}" password="{self.passwords[BROKER]}"'
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        properties = {
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{module} required {login};",
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.authority.issue(BROKER)),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{BROKER};User:{OPERATOR};User:CN={BROKER}",
        }
        return Listener("SASL_SSL", properties, self.passwords)

    def told(self, user: str, variables: str) -> dict[str, str]:
        """The environment of a process that is this user; `variables` is what its variables begin with."""
        values = {
            "KAFKA_BOOTSTRAP": f"{HOST}:{self.port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_USERNAME": user,
            "KAFKA_PASSWORD": self.passwords[user],
            "KAFKA_CA_FILE": str(self.authority.file),
            "TOPIC_PREFIX": PREFIX,
        }
        return {f"{variables}_{name}": value for name, value in values.items()}

    def settings(self, user: str) -> BrokerSettings:
        fields = {name.lower(): value for name, value in self.told(user, "").items()}
        return BrokerSettings.model_validate({name.removeprefix("_"): value for name, value in fields.items()})
