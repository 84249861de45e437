"""The API of notifications in this process: the staff of two clubs, and Resend's webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from deploy import tokens
from deploy.local.keys import ensure_keys
from services.chassis import http
from services.chassis.auth import TokenVerifier
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.dead_letters.domain import Desk as DeadLetterDesk
from services.chassis.doorbell import Doorbell
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications.app import build
from services.notifications.settings import NotificationsSettings
from tests.integration.notifications.worker import Worker, record
from tests.unit.notifications.builders import a_booking, a_profile

VENUE_ID, OTHER_VENUE = a_booking().venue_id, UUID("0199e1a2-0000-7000-8000-00000000c1b1")
BECAUSE = {"reason": "She asked for it at the desk"}


@dataclass
class Desk:
    client: httpx.AsyncClient
    keys: Path
    worker: Worker

    async def ask(self, caller: str | None, method: str, path: str, **request: Any) -> httpx.Response:
        """`caller` is a role and a name: `staff-ana`; nobody without one."""
        headers = dict(request.pop("headers", {}))
        if caller is not None:
            role = tokens.Role(caller.partition("-")[0])
            headers["Authorization"] = f"Bearer {tokens.mint(self.keys, f'{caller}@example.com', caller, role)}"
        return await self.client.request(method, path, headers=headers, **request)

    async def hire(self, caller: str, *venues: UUID, version: int = 1) -> None:
        """As booking tells of it in their profile."""
        user_id = tokens.user_id(f"{caller}@example.com")
        await self.worker.write(record(a_profile(user_id=user_id, version=version, staff_of=venues)))


@asynccontextmanager
async def opened(
    settings: NotificationsSettings, database: Database, worker: Worker, keys: Path
) -> AsyncIterator[Desk]:
    ensure_keys(keys)
    told = settings.model_copy(update={"jwks_file": keys / "jwks.json"})
    clock, doorbell = DatabaseClock(), Doorbell(settings.database_url.get_secret_value())
    await clock.synchronise(database)
    chassis = Chassis(told, database, clock, UnitOfWorkFactory(database, clock, doorbell.ring), doorbell)
    service = build(chassis)
    app = http.create_app(
        told,
        service.title,
        service.body_max_bytes,
        service.routers,
        chassis=chassis,
        desk=DeadLetterDesk(told.service, service.consumers.by_type),
        verifier=TokenVerifier(told),
        **service.state,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", trust_env=False) as client:
            yield Desk(client, keys, worker)
    finally:
        assert service.close is not None
        await service.close()


def somebody() -> str:
    return f"staff-{uuid4().hex[:8]}"
