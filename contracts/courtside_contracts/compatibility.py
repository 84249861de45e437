"""Is a new schema of an event compatible with the released one? `python -m courtside_contracts.compatibility RELEASED CURRENT`

Both directions are needed at once, for as long as a topic keeps records:

- old consumers read new records: nobody deploys all consumers with the producer. So nothing that they rely on goes away, and no
  field says what it could not say before (a wider enum or type would be refused by their models);
- new consumers read old records, which `booking.events` keeps for ever. So nothing becomes required, and no field refuses what it
  once said (a narrower enum, type or range).

Together: what is said of a field stays as it is, and a field may be added if it is optional. Words for people (`title`,
`description`, ...) may change. Whatever this module does not know counts as a change: when in doubt, it is a new type.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples", "deprecated"})
"""Say nothing about which records are valid."""
NESTED = frozenset({"properties", "required", "items", "anyOf", "$ref"})
"""Compared by what they mean, below."""


def compare(released: Path, current: Path) -> list[str]:
    """One sentence for each breaking difference between two folders of schemas. What is new there breaks nothing."""
    found: list[str] = []
    for file in sorted(released.glob("*.json")):
        if (current / file.name).exists():
            old, new = (json.loads((folder / file.name).read_text()) for folder in (released, current))
            found += [f"{file.stem}: {change}" for change in breaking(old, new)]
        else:
            found.append(f"{file.stem}: the type was removed")
    return found


def breaking(old: Schema, new: Schema) -> list[str]:
    return list(_differences(_Place(old, old), _Place(new, new), ""))


class _Place:
    """A schema within its document, behind its references."""

    def __init__(self, document: Schema, schema: Schema) -> None:
        while "$ref" in schema:
            schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        self.document, self.schema = document, schema

    def at(self, schema: Schema) -> _Place:
        return _Place(self.document, schema)

    def rules(self) -> dict[str, Any]:
        """What is said of this value itself. The order of an enum says nothing."""
        said = {word: rule for word, rule in self.schema.items() if word not in ANNOTATIONS | NESTED}
        return said | ({"enum": sorted(said["enum"], key=repr)} if "enum" in said else {})


def _differences(old: _Place, new: _Place, path: str) -> Iterator[str]:
    before, after = old.rules(), new.rules()
    for word in sorted(before.keys() | after.keys()):
        if before.get(word) != after.get(word):
            yield f"{path or 'the event'}: {word} changed from {before.get(word)} to {after.get(word)}"
    yield from _of_properties(old, new, path)
    yield from _of_items(old, new, path)
    yield from _of_alternatives(old, new, path)


def _of_properties(old: _Place, new: _Place, path: str) -> Iterator[str]:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    needed, now_needed = set(old.schema.get("required", ())), set(new.schema.get("required", ()))
    for name, schema in before.items():
        field = f"{path}.{name}" if path else name
        if name not in after:
            yield f"{field}: was removed"
        else:
            yield from _differences(old.at(schema), new.at(after[name]), field)
    for name in sorted(needed ^ now_needed):
        field = f"{path}.{name}" if path else name
        if name in now_needed:
            yield f"{field}: is required now, and records without it are kept"
        elif name in after:
            yield f"{field}: is optional now, and consumers rely on it"


def _of_items(old: _Place, new: _Place, path: str) -> Iterator[str]:
    if "items" in old.schema and "items" in new.schema:
        yield from _differences(old.at(old.schema["items"]), new.at(new.schema["items"]), f"{path}[]")
    elif ("items" in old.schema) != ("items" in new.schema):
        yield f"{path}: what its items are changed"


def _of_alternatives(old: _Place, new: _Place, path: str) -> Iterator[str]:
    before, after = old.schema.get("anyOf", []), new.schema.get("anyOf", [])
    if len(before) != len(after):
        yield f"{path}: it had {len(before)} alternatives, and has {len(after)}"
        return
    for one, other in zip(before, after, strict=True):
        yield from _differences(old.at(one), new.at(other), path)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:  # noqa: PLR2004 - two folders
        print("usage: python -m courtside_contracts.compatibility RELEASED CURRENT", file=sys.stderr)  # noqa: T201
        return 2
    found = compare(Path(arguments[0]), Path(arguments[1]))
    for change in found:
        print(change, file=sys.stderr)  # noqa: T201 - a command says what it found
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
