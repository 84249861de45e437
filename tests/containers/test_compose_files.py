"""What the files say, without starting anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose_variables import read_by_compose
from deploy.local.environment import ROOT
from tests.containers.composed import CommandFailed, run

POLAR = {
    "POLAR_ACCESS_TOKEN": "polar_oat_real",
    "POLAR_BASE_URL": "https://sandbox-api.polar.sh",
    "POLAR_PRODUCT_ID": "11111111-1111-4111-8111-111111111111",
    "POLAR_WEBHOOK_SECRET": "polar_whs_real",
    "PAYMENT_RETURN_URL": "https://club.example/paid?booking=",
    "COURTSIDE_PUBLIC_URL": "https://api.club.example",
}
RESEND = {
    "RESEND_API_KEY": "re_real",
    "RESEND_BASE_URL": "https://api.resend.com",
    "RESEND_WEBHOOK_SECRET": "whsec_real",
    "MAIL_SENDER": "Club <bookings@club.example>",
    "STAFF_ADDRESS": "desk@club.example",
    "BOOKING_PAGE": "https://club.example/bookings?id=",
}
KEYS_OF_BOTH = [*POLAR, *RESEND]


async def composed(tmp_path: Path, told: dict[str, str], *files: str) -> dict[str, Any]:
    """The services, with `told` as the `.env`."""
    written = tmp_path / ".env"
    written.write_text("".join(f"{name}='{value}'\n" for name, value in told.items()))
    named = [word for file in ("docker-compose.yml", *files) for word in ("-f", file)]
    found = yaml.safe_load(await run("docker", "compose", "--env-file", str(written), *named, "config"))
    return dict(found["services"])


async def test_stand_ins_are_there_without_keys(tmp_path: Path) -> None:
    services = await composed(tmp_path, {})
    assert {"polar", "resend"} <= services.keys()
    assert services["payments-api"]["environment"]["PAYMENTS_POLAR_BASE_URL"] == "http://polar:8011"
    assert services["notifications-api"]["environment"]["NOTIFICATIONS_RESEND_BASE_URL"] == "http://resend:8012"


async def test_a_real_key_sends_its_own_stand_in_away(tmp_path: Path) -> None:
    services = await composed(tmp_path, POLAR)
    assert "polar" not in services
    assert "resend" in services
    told = services["payments-worker"]["environment"]
    assert told["PAYMENTS_POLAR_BASE_URL"] == POLAR["POLAR_BASE_URL"]
    assert told["PAYMENTS_POLAR_WEBHOOK_SECRETS"] == '["polar_whs_real"]'
    services = await composed(tmp_path, POLAR | RESEND)
    assert not {"polar", "resend"} & services.keys()
    assert services["notifications-worker"]["environment"]["NOTIFICATIONS_SENDER"] == RESEND["MAIL_SENDER"]
    for name, service in services.items():
        if name.partition("-")[0] in {"payments", "notifications"}:
            laptop = [variable for variable, told in service["environment"].items() if "127.0.0.1" in str(told)]
            assert not laptop, f"{name} sends people to this machine: {laptop}"


@pytest.mark.parametrize(
    "missing", [name for name in KEYS_OF_BOTH if name not in {"POLAR_ACCESS_TOKEN", "RESEND_API_KEY"}]
)
async def test_a_key_without_what_goes_with_it_is_refused(tmp_path: Path, missing: str) -> None:
    keys = POLAR if missing in POLAR else RESEND
    with pytest.raises(CommandFailed, match=f"{missing} must be"):
        await composed(tmp_path, {name: value for name, value in keys.items() if name != missing})


async def test_no_service_is_told_anothers_secrets(tmp_path: Path) -> None:
    services = await composed(tmp_path, POLAR | RESEND)
    for name, service in services.items():
        for variable in service.get("environment") or {}:
            prefix = variable.split("_")[0]
            if prefix in {"BOOKING", "PAYMENTS", "NOTIFICATIONS"} and name != "postgres":
                assert name.startswith(prefix.lower()), f"{name} is told {variable}"


@pytest.mark.parametrize("role", ["api", "worker"])
async def test_what_is_scaled_has_no_port_of_the_host_and_no_right_of_root(tmp_path: Path, role: str) -> None:
    services = await composed(tmp_path, {}, "deploy/compose.cluster.yml")
    for service in ("booking", "payments", "notifications"):
        process = services[f"{service}-{role}"]
        assert "ports" not in process
        assert process["deploy"]["replicas"] == 2
        assert (process["read_only"], process["cap_drop"]) == (True, ["ALL"])


async def test_two_checkouts_on_one_machine_have_images_of_their_own(tmp_path: Path) -> None:
    services = await composed(tmp_path, {"COMPOSE_PROJECT_NAME": "second"})
    for name in ("booking-api", "payments-worker", "notifications-migrate", "keys", "polar"):
        assert services[name]["image"].startswith("second/"), name


async def test_what_the_example_names_is_what_compose_reads(tmp_path: Path) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {
        line[1:].split("=")[0]
        for line in lines
        if line.startswith("#") and "=" in line and " " not in line.split("=")[0]
    }
    assert named == read_by_compose().keys()
    await composed(tmp_path, {name: "1" for name in named if name.endswith("_PORT")})
