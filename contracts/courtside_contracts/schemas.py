"""Writes one JSON Schema (2020-12) per event type: `python -m courtside_contracts.schemas FOLDER`.

The committed ones are compared in the tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(event: type[Event]) -> str:
    document = {"$schema": DIALECT, "$id": f"{event.type}.json", **event.model_json_schema(mode="serialization")}
    return json.dumps(document, indent=2) + "\n"


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, event in EVENTS.items():
        (folder / f"{name}.json").write_text(schema(event))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
