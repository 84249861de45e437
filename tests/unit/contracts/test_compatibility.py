from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from courtside_contracts.compatibility import breaking, compare

CONTRACTS = Path(__file__).parents[3] / "contracts"
CONFIRMED: dict[str, Any] = json.loads((CONTRACTS / "released" / "booking.confirmed.v1.json").read_text())

Mutation = Callable[[dict[str, Any]], object]


def test_what_was_released_still_holds() -> None:
    assert compare(CONTRACTS / "released", CONTRACTS / "schemas") == []
    assert len(list((CONTRACTS / "released").glob("*.json"))) > 10


BREAKING: dict[str, tuple[Mutation, str]] = {
    "a field is removed": (lambda s: s["properties"].pop("hold_expires_at"), "hold_expires_at: was removed"),
    "a field is renamed": (
        lambda s: s["properties"].update(cost_minor=s["properties"].pop("price_minor")),
        "price_minor: was removed",
    ),
    "a new field is required": (
        lambda s: (s["properties"].update(sport={"type": "string"}), s["required"].append("sport")),
        "sport: is required now",
    ),
    "a field becomes required": (lambda s: s["required"].append("refunds_due"), "refunds_due: is required now"),
    "a field becomes optional": (lambda s: s["required"].remove("currency"), "currency: is optional now"),
    "a type is another": (lambda s: s["properties"]["version"].update(type="string"), "version: type changed"),
    "a type is wider": (lambda s: s["properties"]["version"].update(type=["integer", "null"]), "version: type changed"),
    "null is no longer possible": (
        lambda s: s["properties"].update(hold_expires_at={"type": "string", "format": "date-time"}),
        "hold_expires_at: it had 2 alternatives",
    ),
    "an enum is narrower": (lambda s: s["properties"]["status"]["enum"].remove("held"), "status: enum changed"),
    "an enum is wider": (lambda s: s["properties"]["status"]["enum"].append("moved"), "status: enum changed"),
    "a range is narrower": (lambda s: s["properties"]["price_minor"].update(minimum=1), "price_minor: minimum changed"),
    "a format is gone": (lambda s: s["properties"]["starts_at"].pop("format"), "starts_at: format changed"),
    "a constant appears": (lambda s: s["properties"]["time_zone"].update(const="UTC"), "time_zone: const changed"),
    "a nested field is removed": (
        lambda s: s["$defs"]["RefundDue"]["properties"].pop("reason"),
        "refunds_due[].reason: was removed",
    ),
    "nothing else may be said": (lambda s: s.update(additionalProperties=False), "additionalProperties changed"),
}

HARMLESS: dict[str, Mutation] = {
    "an optional field is added": lambda s: s["properties"].update(sport={"type": "string"}),
    "an optional field is added in a nested object": lambda s: s["$defs"]["RefundDue"]["properties"].update(
        note={"type": "string"}
    ),
    "a description is better": lambda s: s["properties"]["version"].update(description="Counts from 1."),
    "an enum is in another order": lambda s: s["properties"]["status"]["enum"].reverse(),
    "a definition has another name": lambda s: (
        s["$defs"].update(Refund=s["$defs"].pop("RefundDue")),
        s["properties"]["refunds_due"].update(items={"$ref": "#/$defs/Refund"}),
    ),
}


def mutated(mutation: Mutation) -> dict[str, Any]:
    schema = copy.deepcopy(CONFIRMED)
    mutation(schema)
    return schema


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_named(name: str) -> None:
    mutation, sentence = BREAKING[name]
    changes = breaking(CONFIRMED, mutated(mutation))
    assert any(sentence in change for change in changes), changes


@pytest.mark.parametrize("name", HARMLESS)
def test_what_a_schema_may_do_is_let_be(name: str) -> None:
    assert breaking(CONFIRMED, mutated(HARMLESS[name])) == []


def test_a_constant_may_not_change() -> None:
    old, new = ({"properties": {"kind": {"const": kind}}} for kind in ("mail", "letter"))
    assert breaking(old, new) == ["kind: const changed from mail to letter"]


def test_a_type_may_not_be_removed_and_the_command_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "courtside_contracts.compatibility", str(CONTRACTS / "released"), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "booking.held.v1: the type was removed" in ended.stderr


# Whatever the check lets through, old and new records are valid for old and new consumers

LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "integer", "minimum": 0},
        {"enum": ["held", "confirmed"]},
        {"enum": ["held"]},
        {"const": "held"},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ]
)


def array_of(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def objects(fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(st.sampled_from("abc"), fields, max_size=3)
    return st.builds(
        lambda said, needed: {"type": "object", "properties": said, "required": sorted(needed & said.keys())},
        properties,
        st.frozensets(st.sampled_from("abc")),
    )


SCHEMAS = objects(st.recursive(LEAVES, lambda inner: objects(inner) | st.builds(array_of, inner), max_leaves=6))


@st.composite
def changed(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A schema, and what a few edits made of it: some harmless, some not."""
    old = draw(SCHEMAS)
    new = copy.deepcopy(old)
    for name in draw(st.lists(st.sampled_from("abcd"), max_size=2)):
        edit = draw(st.sampled_from(["put", "drop", "need", "let go"]))
        if edit == "put":
            new["properties"][name] = draw(LEAVES)
        elif edit == "drop":
            new["properties"].pop(name, None)
        new["required"] = sorted({*new["required"]} | {name} if edit == "need" else {*new["required"]} - {name})
    return old, new


def records(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a producer with this schema may write."""
    if "anyOf" in schema:
        return st.one_of(*map(records, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    if schema["type"] == "array":
        return st.lists(records(schema["items"]), max_size=2)
    if schema["type"] == "object":
        fields = {name: records(said) for name, said in schema["properties"].items()}
        needed = {name: fields.pop(name, st.just(0)) for name in schema["required"]}
        return st.fixed_dictionaries(needed, optional=fields)
    leaves = {"string": st.sampled_from(["held", "x"]), "integer": st.integers(-1, 9), "null": st.none()}
    return leaves[schema["type"]].filter(Draft202012Validator(schema).is_valid)


@given(pair=changed(), data=st.data())
def test_what_is_let_through_reads_old_and_new(
    pair: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    old, new = pair
    if not breaking(old, new):
        Draft202012Validator(old).validate(data.draw(records(new)))
        Draft202012Validator(new).validate(data.draw(records(old)))


@given(pair=changed())
def test_the_check_has_no_direction_but_for_added_fields(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Without new fields, whatever breaks one way breaks the other way."""
    old, new = pair
    if old["properties"].keys() == new["properties"].keys() and old["required"] == new["required"]:
        assert bool(breaking(old, new)) == bool(breaking(new, old))
