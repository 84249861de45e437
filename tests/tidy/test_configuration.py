from __future__ import annotations

import re

import services.booking.settings as booking
import services.notifications.settings as notifications
import services.payments.settings as payments
from deploy import configuration
from deploy.compose_variables import ABOUT, read_by_compose
from deploy.local.environment import ROOT

WRITTEN = configuration.PAGE.read_text()


def test_the_page_of_all_variables_is_what_the_code_reads() -> None:
    assert configuration.page() == WRITTEN, "run `python -m deploy.configuration`"


def test_each_variable_says_what_it_does() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*$", WRITTEN, re.MULTILINE)
    assert len(rows) > 100
    assert len(rows) == len(set(rows))
    silent = [line for line in WRITTEN.splitlines() if line.startswith("| `") and _about(line) == ""]
    assert not silent


def _about(row: str) -> str:
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    return cells[4 if len(cells) > 4 else 3]


NAMED = re.compile(r"\"((?:COURTSIDE|OTEL)_[A-Z_]+[A-Z])\"|environ(?:\.get\(|\[)\"([A-Z_]+)\"")
SET_BY_OURSELVES = {"OTEL_SEMCONV_STABILITY_OPT_IN"}


def test_variables_that_are_no_settings_are_on_the_page_too() -> None:
    files = [file for folder in ("services", "deploy") for file in (ROOT / folder).rglob("*.py")]
    found = {one or other for file in files for one, other in NAMED.findall(file.read_text())}
    assert found > {"OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "HOST", "PORT", "COURTSIDE_HOME"}
    assert not [name for name in found - SET_BY_OURSELVES if f"`{name}`" not in WRITTEN]


def test_what_compose_reads_is_on_the_page_and_in_the_example() -> None:
    read, example = read_by_compose(), (ROOT / ".env.example").read_text()
    assert len(read) > 30
    assert not [name for name in read if f"\n| `{name}` |" not in WRITTEN], (
        "say what it does in deploy/compose_variables.py"
    )
    assert not [name for name in read if f"\n#{name}=" not in example]
    assert ABOUT.keys() <= read.keys(), "nobody reads it any more"


def test_a_default_that_names_another_variable_is_told_as_it_becomes() -> None:
    assert read_by_compose()["BOOKING_PAGE"] == "http://127.0.0.1:8012/?tag=booking_id:"


SECRETS = re.compile(
    r"whsec_[A-Za-z0-9+/]{8,}=*|polar_oat_\w+|\bre_local\b|(?<=_CALENDAR_KEY=)[\w-]+|(?<=PRODUCT_ID=)[0-9a-f-]{36}"
)
"""Where they are told to a process; the tests' own open nothing."""


def test_production_knows_every_secret_that_stands_in_the_repository() -> None:
    places = [ROOT / "docker-compose.yml", ROOT / ".env.example", *(ROOT / "deploy").rglob("*.*")]
    texts = {path: path.read_text() for path in places if path.suffix in {".py", ".yml", ".yaml", ".env", ".example"}}
    found = {secret: path for path, text in texts.items() for secret in SECRETS.findall(text)}
    assert len(found) > 6
    known = frozenset().union(*(settings.PUBLISHED for settings in (booking, payments, notifications)))
    assert not {secret: str(path) for secret, path in found.items() if secret not in known}
