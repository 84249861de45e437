"""What a sender wrote does not drive an operator's terminal."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deploy import dead_letters
from deploy.printable import as_json, printable

NASTY = "[bold red]paid[/] \x1b]0;pwned\x07\x9b31m\u202eevil\nnext [/nothing]"


def shown(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, object]]) -> str:
    output = io.StringIO()
    monkeypatch.setattr(dead_letters, "console", Console(file=output, force_terminal=True, width=300))
    dead_letters._show({"items": rows}, for_programs=False, columns=tuple(rows[0]), rows=rows)
    return output.getvalue()


def test_markup_and_escape_sequences_of_a_sender_are_shown_as_they_were_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = shown(monkeypatch, [{"id": "1", "error_message": NASTY, "type": None, "count": 3}])
    assert "[bold red]paid[/]" in output
    assert r"\x1b]0;pwned\x07\x9b31m\u202eevil\nnext [/nothing]" in output
    assert not {"\x07", "\x9b", "\u202e"} & set(output)
    assert "\x1b]" not in output


@given(st.text())
def test_nothing_that_is_printed_drives_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    written = as_json({"text": text})
    assert written.isprintable()
    assert json.loads(written) == {"text": text}


def test_json_for_people_keeps_its_lines() -> None:
    assert as_json({"a": "\x1b", "ä": [1]}, indent=1) == '{\n "a": "\\u001b",\n "ä": [\n  1\n ]\n}'
