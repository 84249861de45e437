"""`apache/kafka` for testcontainers, whose own `KafkaContainer` is made for another image."""

from __future__ import annotations

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy

OUTSIDE, CONTROLLER, INSIDE = 9092, 9093, 9094

SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{CONTROLLER}",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": f"PLAINTEXT://:{OUTSIDE},CONTROLLER://:{CONTROLLER},INSIDE://:{INSIDE}",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",  # the broker talks to itself, and cannot by the host's port
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_BROKER_SESSION_TIMEOUT_MS": "3000",
    "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    "KAFKA_HEAP_OPTS": "-Xms128m -Xmx384m",
}


class ApacheKafkaContainer(DockerContainer):
    """One broker in KRaft mode, reached at `127.0.0.1:<port>`: the host's port is chosen beforehand, since a broker tells its clients
    where it is, and must know that before it starts."""

    def __init__(self, port: int, image: str = "apache/kafka:4.4.0") -> None:
        super().__init__(
            image, _wait_strategy=ExecWaitStrategy(["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{OUTSIDE}"])
        )
        self.port = port
        self.with_bind_ports(OUTSIDE, port)
        self.with_envs(**SETTINGS)
        self.with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://127.0.0.1:{port},INSIDE://localhost:{INSIDE}")

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"
