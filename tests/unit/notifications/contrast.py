"""How well the words of an HTML mail stand out, as a browser would paint them: inline styles, and the dark rules of its style element."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = ("meta", "br", "img", "link")
COLOUR = re.compile(r"(?<![\w-])(color|background):\s*#([0-9a-f]{6})")
RULE = re.compile(r"\.(\w+) \{([^}]*)\}")


@dataclass
class Painted:
    """By element, from the outermost in: the colours that it has, its own or what it inherits."""

    color: str = "000000"
    background: str = "ffffff"


@dataclass
class Page(HTMLParser):
    dark: dict[str, dict[str, str]]
    open: list[Painted] = field(default_factory=lambda: [Painted()])
    words: list[tuple[float, str]] = field(default_factory=list)
    silent: int = 0

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        own = dict(COLOUR.findall(told.get("style") or ""))
        for name in (told.get("class") or "").split():
            own |= self.dark.get(name, {})
        if tag not in VOID:
            self.open.append(Painted(**{**vars(self.open[-1]), **own}))
            self.silent += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.open.pop()
            self.silent -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if data.strip("\xa0 \n") and not self.silent and not data.startswith("doctype"):
            here = self.open[-1]
            self.words.append((contrast(here.color, here.background), data))


def least_contrast(html: str, *, dark: bool) -> tuple[float, str]:
    """The lowest ratio of all words, 1 to 21, and the words. A dark page has the rules of `prefers-color-scheme: dark` as well."""
    rules = {name: colours for name, body in RULE.findall(html) if dark and (colours := dict(COLOUR.findall(body)))}
    page = Page(rules)
    page.feed(html)
    assert page.words
    return min(page.words)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: of two colours as six hexadecimal digits."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
