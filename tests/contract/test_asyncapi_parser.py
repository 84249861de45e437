"""The official AsyncAPI parser on the committed document, and on broken ones: a judge that never objects proves nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from courtside_contracts.topics import all_topics
from tests.node import FOLDER, beside_the_packages, node

COMMITTED = Path(__file__).parents[2] / "contracts" / "asyncapi.yaml"


def validate(document: Path) -> subprocess.CompletedProcess[str]:
    command = [node(), str(beside_the_packages(FOLDER / "validate-asyncapi.mjs")), str(document)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.slow
@pytest.mark.timeout(400)  # the first run installs the parser
def test_the_official_parser_takes_the_document() -> None:
    verdict = validate(COMMITTED)
    assert verdict.returncode == 0, verdict.stderr
    assert json.loads(verdict.stdout)["channels"] == len(all_topics())


def without_payload(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["BookingHeld"]


def operation_of_no_channel(document: dict[str, Any]) -> None:
    document["operations"]["booking.send.booking.events"]["channel"]["$ref"] = "#/channels/nowhere"


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("breakage", [without_payload, operation_of_no_channel])
def test_the_official_parser_refuses_a_broken_document(tmp_path: Path, breakage: Any) -> None:
    document = yaml.safe_load(COMMITTED.read_text())
    breakage(document)
    broken = tmp_path / "asyncapi.yaml"
    broken.write_text(yaml.safe_dump(document))
    assert validate(broken).returncode == 1
