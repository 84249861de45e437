"""`/health` of the whole: every replica of every process is asked for its `/readyz`, once a second at most. For the gateway to show.

Replicas are what the name of a process resolves to, as in Compose and in Kubernetes' headless services. What a check says in words stays
inside: the world is told which check of which process does not pass. `/processes` has the words too, and is for operators alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

MEDIA_TYPE = "application/health+json"
ANSWER_SECONDS = 3.0
"""A process gives each of its checks 1 s."""
FRESH_SECONDS = 1.0
"""For so long a document is told again: the world may ask as often as it likes, and each look asks every replica."""
DEFAULT_PROCESSES = {
    f"{service}-{role}": f"{service}-{role}:8000"
    for service in ("booking", "payments", "notifications")
    for role in ("api", "worker")
}

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Replica:
    status: Status
    troubled: tuple[str, ...] = ()
    """Names of its checks that do not pass."""


def worst(statuses: Sequence[Status]) -> Status:
    return "fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass"


def judge(replicas: Sequence[Replica]) -> dict[str, Any]:
    """Of one process. It fails when no replica serves; one that does not, beside others, is a warning."""
    serving = [replica for replica in replicas if replica.status != "fail"]
    status = worst([replica.status for replica in replicas]) if serving else "fail"
    told = f"{len(serving)} of {len(replicas)} serve"
    if troubled := sorted({check for replica in replicas for check in replica.troubled}):
        told += f"; not passing: {', '.join(troubled)}"
    return {
        "status": "warn" if serving and status == "fail" else status,
        "observedValue": len(serving),
        "observedUnit": "replicas",
        "output": told,
    }


async def look(client: httpx.AsyncClient, processes: Mapping[str, str]) -> dict[str, Any]:
    """`processes` are `host:port` by name. The health+json document of them all."""
    found = await asyncio.gather(*(_replicas(client, *place.rsplit(":", 1)) for place in processes.values()))
    checks = {name: [judge(replicas)] for name, replicas in zip(processes, found, strict=True)}
    return {"status": worst([check["status"] for [check] in checks.values()]), "checks": checks}


async def _replicas(client: httpx.AsyncClient, host: str, port: str) -> list[Replica]:
    return [_judged(answer) for answer in (await documents(client, host, port)).values()]


async def documents(client: httpx.AsyncClient, host: str, port: str) -> dict[str, httpx.Response | None]:
    """What each replica answers to `/readyz`, by its address; `None` where nobody answers."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, int(port), family=socket.AF_INET, proto=socket.IPPROTO_TCP
        )
    except socket.gaierror:
        return {}
    addresses = sorted({f"{ip_address(address[0])}:{port}" for *_, address in found})
    answers = await asyncio.gather(*(_ask(client, f"http://{address}/readyz") for address in addresses))
    return dict(zip(addresses, answers, strict=True))


async def _ask(client: httpx.AsyncClient, url: str) -> httpx.Response | None:
    try:
        return await client.get(url)
    except httpx.HTTPError:
        return None


def _judged(answer: httpx.Response | None) -> Replica:
    try:
        document = answer.json() if answer is not None else {}
        checks = {name: worst([check["status"] for check in each]) for name, each in document["checks"].items()}
        status: Status = "fail" if answer is None or answer.is_error else document["status"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Replica("fail", ("process",))
    return Replica(status, tuple(name for name, status in checks.items() if status != "pass"))


class Latest:
    """The document of them all. Who asks while one is being made waits for that."""

    def __init__(self, look: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._look, self._one_at_a_time = look, asyncio.Lock()
        self._document: dict[str, Any] = {}
        self.old_at = 0.0

    async def document(self) -> dict[str, Any]:
        async with self._one_at_a_time:
            if not self._document or asyncio.get_running_loop().time() >= self.old_at:
                self._document = await self._look()
                self.old_at = asyncio.get_running_loop().time() + FRESH_SECONDS
            return self._document


async def replicas(request: Request) -> JSONResponse:
    """`?of=booking`: of its API and of its worker the documents of all replicas, by address; null where there is none to read."""
    state, service = request.app.state, request.query_params.get("of", "")
    places = {name: place for name, place in state.processes.items() if name.startswith(f"{service}-")}
    found = await asyncio.gather(*(documents(state.client, *place.rsplit(":", 1)) for place in places.values()))
    told = {
        name: {at: _document(answer) for at, answer in answers.items()}
        for name, answers in zip(places, found, strict=True)
    }
    return JSONResponse({"processes": told})


def _document(answer: httpx.Response | None) -> Any:
    try:
        return answer.json() if answer is not None else None
    except ValueError:
        return None


async def health(request: Request) -> JSONResponse:
    document = await request.app.state.latest.document()
    return JSONResponse(document, 503 if document["status"] == "fail" else 200, media_type=MEDIA_TYPE)


async def livez(request: Request) -> JSONResponse:  # noqa: ARG001 - the shape of an endpoint
    return JSONResponse({"status": "pass"}, media_type=MEDIA_TYPE)


def create_app(processes: Mapping[str, str], client: httpx.AsyncClient) -> Starlette:
    app = Starlette(routes=[Route("/health", health), Route("/processes", replicas), Route("/livez", livez)])
    app.state.processes, app.state.client = processes, client
    app.state.latest = Latest(lambda: look(client, processes))
    return app


async def serve() -> None:
    processes = json.loads(os.environ.get("COURTSIDE_PROCESSES") or "null") or DEFAULT_PROCESSES
    # Each look is a fresh connection, so that a replica which does not take any is seen.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits, trust_env=False) as client:
        config = uvicorn.Config(
            create_app(processes, client),
            host=os.environ.get("HOST", "0.0.0.0"),  # noqa: S104 - in a container, behind the gateway
            port=int(os.environ.get("PORT", "8000")),
            access_log=False,
            server_header=False,
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve())
