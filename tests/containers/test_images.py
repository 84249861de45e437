"""What is in the images, and what is not."""

from __future__ import annotations

import pytest

from deploy.local.environment import SERVICES
from tests.containers.composed import CommandFailed, Compose, inspect, run

pytestmark = pytest.mark.timeout(600)

OWN = {"booking": "icalendar", "payments": "polar", "notifications": "resend"}
"""What this service needs."""
FOREIGN = {"booking": {"polar", "resend"}, "payments": {"icalendar", "resend"}, "notifications": {"polar"}}
"""What only others need."""
BASE = "python:3.13-slim"
MEGABYTE = 1_000_000


async def imported(image: str, module: str) -> str:
    confined = ("--rm", "--network", "none", "--read-only", "--cap-drop", "ALL")
    return await run("docker", "run", *confined, "--entrypoint", "python", image, "-c", f"import {module}")


@pytest.mark.parametrize("service", SERVICES)
async def test_an_image_imports_its_own_service_and_neither_of_the_others(images: Compose, service: str) -> None:
    await imported(images.image(service), f"services.{service}.app")
    for other in set(SERVICES) - {service}:
        with pytest.raises(CommandFailed, match=f"No module named 'services.{other}'"):
            await imported(images.image(service), f"services.{other}.app")


@pytest.mark.parametrize("service", SERVICES)
async def test_an_image_has_its_own_libraries_and_not_those_of_the_others(images: Compose, service: str) -> None:
    await imported(images.image(service), OWN[service])
    for absent in FOREIGN[service] | {"deploy", "pytest", "pip"}:
        with pytest.raises(CommandFailed, match=f"No module named '{absent}'"):
            await imported(images.image(service), absent)


@pytest.mark.parametrize("service", SERVICES)
async def test_an_image_adds_less_than_200_megabytes_to_its_base(images: Compose, service: str) -> None:
    added = (await inspect("image", images.image(service)))["Size"] - (await inspect("image", BASE))["Size"]
    assert 0 < added < 200 * MEGABYTE


@pytest.mark.parametrize("service", SERVICES)
async def test_an_image_says_what_it_is_and_runs_as_nobody(images: Compose, service: str) -> None:
    config = (await inspect("image", images.image(service)))["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"] == ["CMD", "ready", "/readyz"]
    labels = {name.removeprefix("org.opencontainers.image."): said for name, said in config["Labels"].items()}
    assert labels["title"] == f"courtside-{service}"
    assert {"description", "licenses", "version", "revision", "base.name"} <= labels.keys()


async def test_nothing_of_the_machine_that_built_an_image_is_in_it(images: Compose) -> None:
    listed = await run("docker", "run", "--rm", "--entrypoint", "find", images.image("tools"), "/app", "-name", "*")
    assert not [path for path in listed.split() if "/.env" in path or "/.courtside" in path or "/.git" in path]


async def test_a_process_that_is_told_to_stop_before_it_runs_ends_at_once(images: Compose) -> None:
    """Python as process 1 would not hear the signal, and be killed after the engine's patience."""
    name = (
        await run(
            "docker",
            "run",
            "-d",
            "--entrypoint",
            "dumb-init",
            images.image("booking"),
            "--",
            "python",
            "-c",
            "import signal; signal.pause()",
        )
    ).strip()
    try:
        await run("docker", "stop", "--time", "60", name)
        assert (await inspect("container", name))["State"]["ExitCode"] == 128 + 15
    finally:
        await run("docker", "rm", "-f", name)
