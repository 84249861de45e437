"""How clients of the broker connect: what fits together, and what ends the process before anything starts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from faststream.security import BaseSecurity, SASLScram256, SASLScram512
from pydantic import ValidationError

from services.booking.settings import BookingSettings
from services.chassis.kafka import KafkaSettings, client
from services.chassis.subscribing import make_broker
from tests.integration.topics.secured import Authority
from tests.programs import run_to_the_end

USER = {"kafka_username": "booking", "kafka_password": "a-word"}


def settings(**given: Any) -> KafkaSettings:
    return KafkaSettings.model_validate(given)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path)
    authority.write()
    return authority


def test_without_a_word_about_security_there_is_none() -> None:
    options = client(settings(kafka_bootstrap="one:9092,two:9092"))
    assert options == {
        "bootstrap_servers": "one:9092,two:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_a_user_over_tls(authority: Authority) -> None:
    options = client(settings(kafka_security_protocol="SASL_SSL", kafka_ca_file=authority.file, **USER))
    context = options.pop("ssl_context")
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
    assert options | {"bootstrap_servers": ""} == {
        "bootstrap_servers": "",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "booking",
        "sasl_plain_password": "a-word",
    }


def test_a_client_that_is_known_by_its_certificate(authority: Authority) -> None:
    file = authority.issue("booking")
    given = settings(kafka_security_protocol="SSL", kafka_certificate_file=file, kafka_key_file=file)
    assert client(given)["ssl_context"] is not None


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "kafka_username and kafka_password are needed"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_username": "booking"}, "are needed with SASL_SSL"),
        (USER, "are not used with PLAINTEXT"),
        (USER | {"kafka_security_protocol": "SSL"}, "are not used with SSL"),
        ({"kafka_ca_file": __file__}, "not used with PLAINTEXT"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": __file__}, "cannot be used"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": "/nowhere.pem"}, "does not point to a file"),
        ({"kafka_security_protocol": "SSL", "kafka_key_file": __file__}, "go together"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN", **USER}, "SCRAM-SHA-256"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        settings(**given)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, BaseSecurity),
        ({"kafka_security_protocol": "SASL_SSL", **USER}, SASLScram512),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "SCRAM-SHA-256", **USER}, SASLScram256),
        ({"kafka_security_protocol": "SASL_PLAINTEXT", **USER}, SASLScram512),
    ],
)
def test_consumers_connect_as_producers_do(given: dict[str, Any], kind: type[BaseSecurity]) -> None:
    options = client(settings(**given))
    broker: Any = make_broker(options, "booking")
    assert type(broker.specification.security) is kind
    told = broker._connection_kwargs
    for name in ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password"):
        assert told.get(name) == options.get(name)


def test_the_password_is_in_no_text() -> None:
    assert "a-word" not in repr(settings(kafka_security_protocol="SASL_SSL", **USER))


def test_a_process_that_is_told_half_ends_with_one_line() -> None:
    told = {"BOOKING_DATABASE_URL": "postgresql://b:b@localhost/b", "BOOKING_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
    ended = run_to_the_end("services.booking", told)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "kafka_username and kafka_password are needed with SASL_SSL" in ended.stderr


def test_a_service_is_told_under_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKING_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("BOOKING_KAFKA_USERNAME", "booking")
    monkeypatch.setenv("BOOKING_KAFKA_PASSWORD", "a-word")
    given: dict[str, Any] = {"database_url": "postgresql://b:b@localhost/b"}
    assert client(BookingSettings(**given))["sasl_plain_username"] == "booking"
