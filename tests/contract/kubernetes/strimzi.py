"""Strimzi's definitions of its resources, as Strimzi's own generator writes them, from its jars: `strimzi.lock` names these by SHA-256.

`python -m tests.contract.kubernetes.strimzi` writes the lock anew, after a change of the version below.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy.local import jars

VERSION = "1.2.0"
GENERATOR, MODELS = f"io.strimzi:crd-generator:{VERSION}", f"io.strimzi:api:{VERSION}"
KINDS = {
    "Kafka": "kafka.Kafka",
    "KafkaNodePool": "nodepool.KafkaNodePool",
    "KafkaTopic": "topic.KafkaTopic",
    "KafkaUser": "user.KafkaUser",
}
UNUSED = ("org.junit", "org.opentest4j", "org.apiguardian", "org.projectlombok")
"""What only the builds of these libraries need."""

LOCK = Path(__file__).with_name("strimzi.lock")
LOCK_HEADER = f"""\
# What writes Strimzi's resource definitions: {GENERATOR}, {MODELS} and their dependencies, SHA-256 and Maven coordinate.
# Written by `python -m tests.contract.kubernetes.strimzi`; a file that differs is refused.
"""


def definitions(folder: Path, java: str, jars_folder: Path) -> list[dict[str, Any]]:
    """Of all kinds, as CustomResourceDefinitions. `folder` is where they are written."""
    classpath = ":".join(str(jar) for jar in jars.fetch(jars_folder, lambda _: None, LOCK))
    written = [f"io.strimzi.api.kafka.model.{path}={folder / kind}.yaml" for kind, path in KINDS.items()]
    command = [java, "-cp", classpath, "io.strimzi.crdgenerator.CrdGenerator", "--yaml", *written]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return [yaml.safe_load((folder / f"{kind}.yaml").read_text()) for kind in KINDS]


def write_lock() -> None:
    import jgo  # noqa: PLC0415 - takes half a second, and is needed here alone

    lines: dict[str, str] = {}
    for artifact in (*jgo.resolve(GENERATOR), *jgo.resolve(MODELS)):
        if not artifact.groupId.startswith(UNUSED):
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            lines[coordinate] = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
    LOCK.write_text(LOCK_HEADER + "".join(f"{sha256}  {coordinate}\n" for coordinate, sha256 in sorted(lines.items())))


if __name__ == "__main__":
    write_lock()
