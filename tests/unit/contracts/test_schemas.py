from __future__ import annotations

import json
from inspect import isabstract
from pathlib import Path

from jsonschema import Draft202012Validator

from courtside_contracts import schemas
from courtside_contracts.catalogue import EVENTS
from tests.unit.contracts.events import A_PAYMENT

COMMITTED = Path(__file__).parents[3] / "contracts" / "schemas"


def test_the_committed_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_text() for file in COMMITTED.glob("*.json")}


def test_every_event_type_has_a_version_a_topic_a_key_and_an_owner() -> None:
    for name, event in EVENTS.items():
        assert name.rpartition(".v")[2].isdigit(), name
        assert event.topic, name
        assert not isabstract(event), f"{name} names no key"
        assert event.source.startswith("/courtside/"), name


def test_an_event_is_valid_against_its_schema() -> None:
    schema = json.loads((COMMITTED / f"{A_PAYMENT.type}.json").read_text())
    Draft202012Validator(schema).validate(json.loads(A_PAYMENT.value()))
