"""A stand-in starts on a developer's machine, with settings that make sense, and nowhere else."""

from pathlib import Path

import pytest

from tests.programs import run_to_the_end

REFUSED_STARTS = {
    "polar in production": ("polar", {"POLAR_STANDIN_ENVIRONMENT": "Production"}),
    "polar in production, says the application": ("polar", {"COURTSIDE_ENVIRONMENT": "PRODUCTION"}),
    "a token of the wrong kind": ("polar", {"POLAR_STANDIN_ACCESS_TOKEN": "sk_live_1"}),
    "a secret that is no base64": ("polar", {"POLAR_STANDIN_WEBHOOK_SECRET": "whsec_%%%"}),
    "resend in production": ("resend", {"RESEND_STANDIN_ENVIRONMENT": "production"}),
    "resend in production, says the application": ("resend", {"COURTSIDE_ENVIRONMENT": " Production "}),
}


@pytest.mark.parametrize(("name", "environment"), REFUSED_STARTS.values(), ids=REFUSED_STARTS.keys())
def test_it_does_not_start(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    ended = run_to_the_end(f"deploy.standins.{name}", {f"{name.upper()}_STANDIN_STATE": str(state), **environment})
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{name} stand-in does not start: ")
    assert ended.stderr.count("\n") == 1
    assert not state.exists()
