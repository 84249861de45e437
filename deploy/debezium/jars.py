"""What a Kafka Connect worker with Debezium runs on, beside the broker's own jars: `connect.lock` names them by version and SHA-256.

`python -m deploy.debezium.jars` writes the lock anew, after a change of a version below.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from deploy.local import jars

CONNECT = "org.apache.kafka:connect-runtime:4.4.0"
DEBEZIUM = "io.debezium:debezium-connector-postgres:3.7.0.Final"

LOCK = Path(__file__).with_name("connect.lock")
LOCK_HEADER = f"""\
# What Kafka Connect with Debezium needs beside kafka.lock: {CONNECT}, {DEBEZIUM} and their dependencies.
# Written by `python -m deploy.debezium.jars`; a file that differs is refused.
"""


def fetch(folder: Path) -> list[Path]:
    """The whole class path, after downloading what is not there yet."""
    return [*jars.fetch(folder, lambda _: None), *jars.fetch(folder, lambda _: None, LOCK)]


def write_lock() -> None:
    import jgo  # noqa: PLC0415 - takes half a second, and is needed here alone

    known = {artifact_of(jar.coordinate) for jar in jars.locked()}
    lines: dict[str, str] = {}
    # Connect first: where both ask for a library, its versions are those of the broker's release.
    for artifact in (*jgo.resolve(CONNECT), *jgo.resolve(DEBEZIUM)):
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        if artifact_of(coordinate) not in known:
            known.add(artifact_of(coordinate))
            lines[coordinate] = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
    LOCK.write_text(LOCK_HEADER + "".join(f"{sha256}  {coordinate}\n" for coordinate, sha256 in sorted(lines.items())))


def artifact_of(coordinate: str) -> str:
    return coordinate.rsplit(":", 1)[0]


if __name__ == "__main__":
    write_lock()
