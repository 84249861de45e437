"""What the gateway's files say, without starting it. `tests/containers/test_compose.py` asks a running one."""

from __future__ import annotations

import re

import yaml

from deploy.local.environment import ROOT
from services.chassis.http import PROTECTION

GATEWAY = ROOT / "deploy" / "gateway"
FILES = {file.name: file.read_text() for file in GATEWAY.glob("*.conf")}


def test_no_path_leads_on_what_only_begins_like_it() -> None:
    """`location /docs` would take `/docsX` too."""
    prefixes = re.findall(r"^ *location (/\S*) \{", "".join(FILES.values()), re.MULTILINE)
    assert len(prefixes) > 10
    assert not [path for path in prefixes if not path.endswith("/")]


def test_what_no_service_answers_is_marked_as_what_they_answer() -> None:
    told = dict(
        re.findall(
            r"^add_header (\S+) \"?(.*?)\"? always;$", FILES["answered.conf"] + FILES["protected.conf"], re.MULTILINE
        )
    )
    assert PROTECTION.items() <= told.items()
    places = FILES["routes.conf"] + FILES["direct.conf"]
    own = re.findall(r"location = (/livez|/health|/processes) \{(.*?)\}", places, re.DOTALL)
    assert [path for path, _ in own] == ["/livez", "/health", *["/processes"] * 3]
    assert not [path for path, said in own if "include /courtside/protected.conf;" not in said]


def test_nothing_that_compose_starts_is_reached_from_elsewhere_unasked() -> None:
    """The stand-ins' pages tell of all mails, and the broker asks for no password."""
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("compose*.yml")]
    told = [yaml.safe_load(file.read_text().replace("!override ", "")) for file in files]
    services = [service for each in told for service in each.get("services", {}).values()]
    published = [str(port) for each in services for port in each.get("ports", [])]
    assert len(published) > 10
    on_loopback = ("127.0.0.1:", "${COURTSIDE_GATEWAY_ADDRESS:-127.0.0.1}:")
    assert not [port for port in published if not port.startswith(on_loopback)]


def test_nobody_waits_for_one_process_after_the_other() -> None:
    """Three tries of a minute each would be three minutes."""
    (more,) = re.findall(r"proxy_next_upstream_timeout (\d+)s;", FILES["nginx.conf"])
    (one,) = re.findall(r"proxy_read_timeout (\d+)s;", FILES["nginx.conf"])
    assert int(more) + int(one) <= 70
