"""What can go wrong around `make up`, each with its way out. Tiny programs stand in for the services; PostgreSQL and Kafka are real."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
from jgo.config import GlobalSettings
from rich.console import Console
from typer.testing import CliRunner

from deploy.cli import app
from deploy.local import jars
from deploy.local.commands import alone
from deploy.local.environment import HOST, ROOT, Installation, Paths, Ports, environment
from deploy.local.errors import PartFailed, WrongEnvironment
from deploy.local.keys import ensure_keys
from deploy.local.logs import Tail, last_lines
from deploy.local.ports import refuse_used_port
from deploy.local.processes import Part, Processes
from deploy.local.progress import Steps
from deploy.local.stack import Programs, Stack, stop
from deploy.local.start_times import start_time
from deploy.local.system_user import remove_place
from tests.ports import free_port

pytestmark = pytest.mark.slow

SERVES = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
DIES = "import sys; print('no database here'); sys.exit(3)"


def tiny(name: str, program: str, port: int | None = None) -> Part:
    port = port or free_port()
    return Part(name, (sys.executable, "-c", program, str(port)), {}, f"http://{HOST}:{port}/", ready_seconds=60)


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a pid file and a log raise no event
            await asyncio.sleep(0.02)


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    processes = Processes(tmp_path / "run", tmp_path / "logs")
    yield processes
    for name in processes.names():
        await processes.kill(name)


@pytest.fixture
def foreigner() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as program:
        yield program
        program.communicate(b"\n")


# One process


async def test_a_part_is_found_again_by_the_next_command(processes: Processes) -> None:
    part = tiny("booking", SERVES)
    started = processes.start(part)
    await processes.until_ready(part)

    next_command = Processes(processes.run, processes.logs)
    assert next_command.running("booking") == started
    await processes.stop("booking")
    assert next_command.running("booking") is None


async def test_a_part_that_dies_says_its_last_words(processes: Processes) -> None:
    part = tiny("booking", DIES)
    processes.start(part)
    with pytest.raises(PartFailed, match="booking died while starting") as failure:
        await processes.until_ready(part)
    assert failure.value.log_tail == "no database here"


async def test_a_part_that_ignores_sigterm_is_killed(processes: Processes) -> None:
    running = processes.start(replace(tiny("booking", DEAF), stop_seconds=0.2))
    await until(lambda: "deaf" in processes.log_tail("booking"))
    await processes.stop("booking")
    assert start_time(running.pid) is None


async def test_a_stale_pid_file_never_costs_a_foreign_program_its_life(
    processes: Processes, foreigner: subprocess.Popen[bytes]
) -> None:
    stale = {"pid": foreigner.pid, "started": "1", "port": 8001, "stop_signal": int(signal.SIGTERM), "stop_seconds": 1}
    processes.run.mkdir()
    (processes.run / "booking.pid").write_text(json.dumps(stale))

    assert processes.running("booking") is None
    await processes.stop("booking")
    await processes.kill("booking")
    assert foreigner.poll() is None
    assert not (processes.run / "booking.pid").exists()


def test_a_pid_file_that_was_cut_short_counts_as_none(processes: Processes) -> None:
    processes.run.mkdir()
    (processes.run / "booking.pid").write_text('{"pid": 12')
    assert processes.running("booking") is None


# Ports, paths, keys, jars


def test_a_port_in_use_names_its_holder_and_the_variable_that_moves_it() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(WrongEnvironment) as refusal:
            refuse_used_port("booking", port)
    assert f"port {port}, which booking wants, is in use by " in str(refusal.value)
    assert f"(pid {os.getpid()})" in str(refusal.value)
    assert "COURTSIDE_BOOKING_PORT" in str(refusal.value)


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "80.0", "²"])
def test_a_port_that_is_none_is_refused_with_one_line(text: str, tmp_path: Path) -> None:
    told = {"COURTSIDE_BOOKING_PORT": text, "COURTSIDE_HOME": str(tmp_path)}
    answer = CliRunner().invoke(app, ["up"], env=told)
    assert answer.exit_code == 2
    assert answer.stderr == f"courtside: COURTSIDE_BOOKING_PORT must be a port between 1 and 65535, not {text!r}\n"


def test_two_parts_on_one_port_are_refused() -> None:
    with pytest.raises(WrongEnvironment, match="booking and kafka both want port 8001"):
        Ports.read({"COURTSIDE_KAFKA_PORT": "8001"})


def test_a_second_command_at_the_same_time_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "jars")
    refusal = pytest.raises(WrongEnvironment, match=f"another courtside command.*{os.getpid()}.*wait for it")
    with alone(paths), refusal, alone(paths):
        pass


def test_keys_and_secrets_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    made = ensure_keys(tmp_path)
    published = (tmp_path / "jwks.json").read_text()
    assert ensure_keys(tmp_path) == made
    assert (tmp_path / "jwks.json").read_text() == published
    for secret in ("signing-key.pem", "secrets.json"):
        assert (tmp_path / secret).stat().st_mode & 0o777 == 0o600

    jwk = jwt.PyJWKSet.from_json(published).keys[0]
    token = jwt.encode({"sub": "ana"}, (tmp_path / "signing-key.pem").read_bytes(), "EdDSA", {"kid": jwk.key_id or ""})
    assert jwt.decode(token, jwk, ["EdDSA"]) == {"sub": "ana"}


def test_the_stand_in_and_its_service_share_their_secrets(tmp_path: Path) -> None:
    told = environment(Installation(Ports(), Paths(tmp_path, tmp_path), ensure_keys(tmp_path), topic_prefix="t1."))
    assert told["payments"]["PAYMENTS_POLAR_ACCESS_TOKEN"] == told["polar"]["POLAR_STANDIN_ACCESS_TOKEN"]
    assert told["notifications"]["NOTIFICATIONS_RESEND_API_KEY"] == told["resend"]["RESEND_STANDIN_API_KEY"]
    secrets = json.loads(told["payments"]["PAYMENTS_POLAR_WEBHOOK_SECRETS"])
    assert secrets == [told["polar"]["POLAR_STANDIN_WEBHOOK_SECRET"]]
    secrets = json.loads(told["notifications"]["NOTIFICATIONS_RESEND_WEBHOOK_SECRETS"])
    assert secrets == [told["resend"]["RESEND_STANDIN_WEBHOOK_SECRET"]]
    assert told["booking"]["BOOKING_TOPIC_PREFIX"] == "t1."


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"# comment\n{'0' * 64}  org.example:broker:1.0\n")
    (tmp_path / "broker-1.0.jar").write_bytes(b"something else")
    with pytest.raises(WrongEnvironment, match=r"broker-1\.0\.jar is not the file that kafka\.lock names: SHA-256"):
        jars.fetch(tmp_path, lambda _: None, lock)


class ShakyRepository(http.server.BaseHTTPRequestHandler):
    """Breaks off the first `breaks` answers in their middle, then is a Maven repository of one jar."""

    jar = b"a broker" * 100
    breaks = 2

    def do_GET(self) -> None:
        body = (
            hashlib.sha1(self.jar, usedforsecurity=False).hexdigest().encode()
            if self.path.endswith(".sha1")
            else self.jar
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.breaks else body)
        type(self).breaks = max(0, self.breaks - 1)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name that the standard library gives it
        """Says nothing."""


def test_a_download_that_breaks_off_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer((HOST, 0), ShakyRepository) as repository:
        threading.Thread(target=repository.serve_forever, daemon=True).start()
        mirror = GlobalSettings(repositories={"central": f"http://{HOST}:{repository.server_port}"})
        monkeypatch.setattr(GlobalSettings, "load", lambda: mirror)
        lock = tmp_path / "kafka.lock"
        lock.write_text(f"{hashlib.sha256(ShakyRepository.jar).hexdigest()}  org.example:broker:1.0\n")
        (found,) = jars.fetch(tmp_path / "jars", lambda _: None, lock)
        repository.shutdown()
    assert found.read_bytes() == ShakyRepository.jar
    assert ShakyRepository.breaks == 0
    assert list(found.parent.iterdir()) == [found]


def test_a_download_that_was_given_up_is_not_tried_again(tmp_path: Path) -> None:
    tries: list[int] = []

    def given_up(received: int) -> None:
        tries.append(received)
        raise InterruptedError("the download was given up")

    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{'0' * 64}  org.example:broker:1.0\n")
    with pytest.raises(WrongEnvironment, match=r"broker-1\.0\.jar could not be downloaded"):
        jars.fetch(tmp_path / "jars", given_up, lock)
    assert tries == [0]


def test_the_lock_holds_the_kafka_that_the_code_names() -> None:
    assert jars.KAFKA in {jar.coordinate for jar in jars.locked()}
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars.locked())


# Logs


def test_followed_logs_go_on_after_a_restart(tmp_path: Path) -> None:
    log = tmp_path / "booking.log"
    log.write_bytes(b"old\n")
    tail = Tail("booking", log)
    tail.skip_what_is_there()
    with log.open("ab") as file:
        file.write("café\nunfin".encode())
    assert tail.new_lines() == ["café"]

    with log.open("ab") as file:
        file.write(b"ished\nlast\n")
    log.rename(tmp_path / "booking.previous.log")
    log.write_bytes(b"first of the next start\n")
    assert tail.new_lines() == ["unfinished", "last", "first of the next start"]
    assert tail.new_lines() == []
    tail.close()


def test_the_last_lines_of_each_log_are_told_by_part(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text("one\ntwo\nthree\n")
    assert list(last_lines(tmp_path, ["kafka", "booking"], 2)) == [("kafka", "two"), ("kafka", "three")]
    assert list(last_lines(tmp_path, ["kafka"], 0)) == []


# The whole stack


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Stack]:
    ports = Ports(postgres=free_port(), kafka=free_port())
    shared_jars = Paths.read(os.environ).jars
    paths = Paths(tmp_path / "home", shared_jars)
    programs = Programs(standins=(tiny("polar", SERVES),), services=(tiny("booking", SERVES),))
    local = Stack(Installation(ports, paths, ensure_keys(paths.keys)), programs)
    yield local
    await stop(local.processes)
    remove_place(paths.postgres)


async def up(local: Stack) -> None:
    with Steps(Console(quiet=True)) as steps:
        await local.up(steps)


def pid_by_name(local: Stack) -> dict[str, int]:
    return {name: running.pid for name in local.processes.names() if (running := local.processes.running(name))}


@pytest.mark.slow
async def test_up_goes_on_where_the_last_one_failed_and_down_leaves_the_data(local: Stack) -> None:
    works = local.programs
    local.programs = Programs(works.standins, (tiny("booking", DIES, works.services[0].port),))
    with pytest.raises(PartFailed, match="booking died while starting") as failure:
        await up(local)
    assert failure.value.log_tail == "no database here"
    left_up = pid_by_name(local)
    assert set(left_up) == {"postgres", "kafka", "polar"}

    local.programs = works
    await up(local)
    assert await local.is_up()
    assert pid_by_name(local).items() > left_up.items()

    connection = await local.postgres.connect("courtside_booking")
    await connection.execute("CREATE TABLE kept ()")
    await connection.close()
    assert set(await stop(local.processes)) == {"postgres", "kafka", "polar", "booking"}
    assert pid_by_name(local) == {}

    await up(local)
    connection = await local.postgres.connect("courtside_booking")
    await connection.execute("SELECT FROM kept")
    await connection.close()


async def test_an_interrupted_up_stops_what_it_had_started(local: Stack) -> None:
    starting = asyncio.create_task(up(local))
    await until(lambda: local.processes.running("postgres") is not None, seconds=60)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert pid_by_name(local) == {}


async def test_nothing_starts_when_a_port_is_taken(local: Stack) -> None:
    with (
        socket.create_server((HOST, local.installation.ports.kafka)),
        pytest.raises(WrongEnvironment, match=r"which kafka wants.*COURTSIDE_KAFKA_PORT"),
    ):
        await up(local)
    assert pid_by_name(local) == {}


async def test_a_part_on_another_port_than_now_asked_for_is_not_taken_for_up(local: Stack) -> None:
    (polar,) = local.programs.standins
    local.processes.start(polar)
    local.programs = Programs(standins=(tiny("polar", SERVES),))
    with pytest.raises(WrongEnvironment, match=rf"polar runs on port {polar.port}.*courtside down"):
        await up(local)


def test_the_lock_and_the_code_name_no_host() -> None:
    assert "://" not in jars.LOCK.read_text()
    assert jars.LOCK.is_relative_to(ROOT)
