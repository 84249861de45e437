"""What others wrote, on somebody's terminal: shown, never obeyed. A record may hold escape sequences, and rich reads `[…]` as markup."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text


def printable(text: str) -> str:
    """On one line, with control characters and the like as their escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def as_text(text: str, style: str = "") -> Text:
    """For rich's consoles and tables."""
    return Text(printable(text), style)


def as_json(value: Any, indent: int | None = None) -> str:
    """With the letters of all languages, and whatever is not to be seen as JSON's own escapes: programs read the same."""
    written = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in written)


def _escaped(character: str) -> str:
    """As JSON does it: one escape for each unit of UTF-16."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
