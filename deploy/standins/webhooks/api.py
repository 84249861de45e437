"""`/_admin/webhook-events` and `-endpoints`: what was told, to whom, and how often."""

import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from deploy.standins.webhooks.hooks import Hooks


class Switch(BaseModel):
    enabled: bool


def router(hooks: Hooks) -> APIRouter:
    routes = APIRouter(prefix="/_admin")

    @routes.get("/webhook-events")
    async def read_events(contains: str = "") -> dict[str, Any]:
        """In the order in which they came about; `contains` is looked for in the payload."""
        rows = hooks.database.rows("SELECT * FROM webhook_events WHERE instr(payload, ?) ORDER BY seq", (contains,))
        return {"events": [{**dict(row), "payload": json.loads(row["payload"])} for row in rows]}

    @routes.post("/webhook-events/{event_id}/redeliver", status_code=202)
    async def redeliver(event_id: UUID) -> dict[str, Any]:
        if not hooks.redeliver(str(event_id)):
            raise HTTPException(404)
        return {}

    @routes.get("/webhook-endpoints")
    async def read_endpoints() -> dict[str, Any]:
        rows = hooks.database.rows("SELECT id, url, events, enabled FROM webhook_endpoints ORDER BY created_at")
        return {"endpoints": [{**dict(row), "enabled": bool(row["enabled"])} for row in rows]}

    @routes.post("/webhook-endpoints/{endpoint_id}")
    async def switch(endpoint_id: UUID, body: Switch) -> dict[str, Any]:
        if not hooks.switch(str(endpoint_id), enabled=body.enabled):
            raise HTTPException(404)
        return body.model_dump()

    return routes
