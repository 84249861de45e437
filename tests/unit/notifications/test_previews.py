"""`courtside mail preview`: a look at a mail before any player gets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from icalendar import Calendar
from typer.testing import CliRunner

from deploy.cli import app
from services.notifications.emails.domain import Kind


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_can_be_looked_at(tmp_path: Path, kind: Kind) -> None:
    told = CliRunner().invoke(app, ["mail", "preview", kind, "--locale", "es-MX", "--folder", str(tmp_path / "here")])
    assert told.exit_code == 0, told.output
    written = {path.suffix: path for path in (tmp_path / "here").iterdir()}
    assert sorted(told.output.replace("\n", "").split(str(tmp_path / "here") + "/")[1:]) == sorted(
        path.name for path in written.values()
    )
    assert {".html", ".txt"} <= written.keys()
    assert written[".txt"].read_text().startswith("Subject: ")
    assert '<html lang="es">' in written[".html"].read_text()
    if ".ics" in written:
        assert Calendar.from_ical(written[".ics"].read_bytes())["method"] in ("REQUEST", "CANCEL")


def test_a_kind_that_there_is_not_is_one_sentence(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["mail", "preview", "booking-teleported", "--folder", str(tmp_path)])
    assert told.exit_code == 2
    assert list(tmp_path.iterdir()) == []
