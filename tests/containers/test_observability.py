"""What Compose makes of the file with metrics and traces."""

from __future__ import annotations

from pathlib import Path

from deploy.local.environment import ROOT
from tests.containers.test_compose_files import composed


async def test_every_process_sends_its_traces_and_every_file_that_is_shown_is_there(tmp_path: Path) -> None:
    services = await composed(tmp_path, {}, "deploy/compose.observability.yml")
    for service in ("booking", "payments", "notifications"):
        for role in ("api", "worker"):
            told = services[f"{service}-{role}"]["environment"]
            assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
            assert told[f"{service.upper()}_HTTP_PORT"] == "8000", "what it was told before stays"
    watchers = ("collector", "traces", "prometheus", "grafana")
    for name in watchers:
        assert ":" in services[name]["image"], "a tag, not the latest"
        for port in services[name].get("ports", ()):
            assert port["host_ip"] == "127.0.0.1"
    shown = [volume for name in watchers for volume in services[name].get("volumes", ()) if volume["type"] == "bind"]
    assert shown
    ours = {str(folder) for folder in (ROOT / "deploy" / "observability").rglob("*") if folder.is_dir()}
    assert {volume["source"] for volume in shown} <= ours | {str(ROOT / "deploy" / "observability")}
