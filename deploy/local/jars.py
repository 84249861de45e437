"""Apache Kafka's jars: exactly the files that `kafka.lock` names, by version and SHA-256.

`python -m deploy.local.jars` writes the lock anew, after a change of a version below.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stamina

from deploy.local.errors import WrongEnvironment

KAFKA = "org.apache.kafka:kafka_2.13:4.4.0"
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
"""Kafka's jars log through slf4j and bring no back end for it. Locked by itself and without what it depends on: resolved together
with Kafka its parent's managed versions would win, and pair a 4.4 broker with a 3.9 client library."""

LOCK = Path(__file__).with_name("kafka.lock")
LOCK_HEADER = f"""\
# What the local broker runs on: {KAFKA} and its dependencies, SHA-256 and Maven coordinate.
# Written by `python -m deploy.local.jars`; a file that differs is refused.
"""
DOWNLOADS_AT_ONCE = 8
TRIES = 5
"""Within some 15 s, unless the connection itself is waited for."""

Progress = Callable[[int], None]
"""Told the bytes as they come, and none before each try; an `InterruptedError` that it raises ends the download."""


@dataclass(frozen=True, slots=True)
class Jar:
    sha256: str
    coordinate: str
    """`group:artifact:version`"""

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked(lock: Path = LOCK) -> list[Jar]:
    lines = (line.split() for line in lock.read_text().splitlines() if not line.startswith("#"))
    return [Jar(sha256, coordinate) for sha256, coordinate in lines]


def fetch(folder: Path, on_bytes: Progress, lock: Path = LOCK) -> list[Path]:
    """The jars in `folder`, after downloading those that are not there yet. Each is checked each time: all take a twentieth of a second."""
    folder.mkdir(parents=True, exist_ok=True)
    jars = locked(lock)
    missing = [jar for jar in jars if not (folder / jar.file_name).exists()]
    with (
        tempfile.TemporaryDirectory(prefix="incoming-", dir=folder) as incoming,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        downloads = [pool.submit(_download, jar, Path(incoming), folder, on_bytes, lock) for jar in missing]
        try:
            for download in downloads:
                download.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for jar in jars:
        _verify(jar, folder / jar.file_name, lock)
    return [folder / jar.file_name for jar in jars]


def _download(jar: Jar, incoming: Path, folder: Path, on_bytes: Progress, lock: Path) -> None:
    """Beside its place first, and moved there once whole and verified: a download that was cut off leaves no half jar behind."""
    try:
        file = _downloaded(jar, incoming, on_bytes)
    except (OSError, RuntimeError) as error:
        hint = "is Maven Central reachable? (a mirror goes into ~/.config/jgo.conf: [repositories] central = <url>)"
        raise WrongEnvironment(f"{jar.file_name} could not be downloaded; {hint}") from error
    _verify(jar, file, lock)
    file.replace(folder / jar.file_name)


def _passing(error: Exception) -> bool:
    """A name that is not found for a second, a connection that is cut: not that the download was given up, or may not be written."""
    return isinstance(error, OSError | RuntimeError) and not isinstance(error, InterruptedError | PermissionError)


@stamina.retry(on=_passing, attempts=TRIES, wait_initial=1.0, timeout=None)
def _downloaded(jar: Jar, incoming: Path, on_bytes: Progress) -> Path:
    """Each try in a folder of its own: jgo takes what a try before it left half for the whole."""
    on_bytes(0)
    cache = Path(tempfile.mkdtemp(dir=incoming))
    return Path(_maven(cache, on_bytes).project(*_project(jar)).at_version(_version(jar)).artifact().resolve())


def _verify(jar: Jar, file: Path, lock: Path) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != jar.sha256:
        file.unlink()
        sentence = f"{jar.file_name} is not the file that {lock.name} names: SHA-256 {found}, not {jar.sha256}"
        raise WrongEnvironment(f"{sentence}. It was removed; the next start downloads it again")


def _maven(cache: Path, on_bytes: Progress) -> Any:
    from jgo.config import GlobalSettings  # noqa: PLC0415 - takes half a second, and only a first start downloads
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    @contextmanager
    def count(_file_name: str, _size: int) -> Iterator[Progress]:
        yield on_bytes

    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(
        PythonResolver(progress_callback=count), repo_cache=cache, remote_repos=repositories, timeout=60
    )


def _project(jar: Jar) -> tuple[str, str]:
    group, artifact, _ = jar.coordinate.split(":")
    return group, artifact


def _version(jar: Jar) -> str:
    return jar.coordinate.split(":")[2]


def write_lock(lock: Path = LOCK) -> None:
    import jgo  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory() as cache:
        maven = _maven(Path(cache), on_bytes=lambda _: None)
        group, artifact, version = LOG_BINDING.split(":")
        artifacts = [*jgo.resolve(KAFKA), maven.project(group, artifact).at_version(version).artifact()]
        lines = {
            f"{a.groupId}:{a.artifactId}:{a.version}": hashlib.sha256(a.resolve().read_bytes()).hexdigest()
            for a in artifacts
        }
    lock.write_text(LOCK_HEADER + "".join(f"{sha256}  {coordinate}\n" for coordinate, sha256 in sorted(lines.items())))


if __name__ == "__main__":
    write_lock()
