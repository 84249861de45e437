"""Polar's API about its own webhooks: what was delivered, what was not, and once more please."""

import sqlite3
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from deploy.standins.clock import iso
from deploy.standins.polar.errors import ResourceNotFound
from deploy.standins.polar.listing import Filter, Ids, Paging, page_of
from deploy.standins.polar.parts import Standin
from deploy.standins.polar.state import Document
from deploy.standins.polar.webhooks import API_VERSION

router = APIRouter(prefix="/v1/webhooks")

DELIVERIES = "FROM webhook_deliveries AS delivery JOIN webhook_events AS event ON event.id = delivery.event_id WHERE "


@router.get("/deliveries")
async def list_deliveries(
    standin: Standin,
    paging: Paging,
    endpoint_id: Ids = None,
    event_type: Annotated[list[str] | None, Query()] = None,
    succeeded: bool | None = None,
    http_code_class: Literal["2xx", "3xx", "4xx", "5xx"] | None = None,
) -> Document:
    chosen = Filter()
    for column, values in (("event.endpoint_id", endpoint_id), ("event.type", event_type)):
        if values:
            chosen.where(f"{column} IN ({', '.join('?' for _ in values)})", *map(str, values))
    if succeeded is not None:
        chosen.where("delivery.succeeded = ?", succeeded)
    if http_code_class:
        chosen.where("delivery.http_code / 100 = ?", int(http_code_class[0]))
    total = standin.database.value(f"SELECT COUNT(*) {DELIVERIES} {chosen}", chosen.parameters)
    rows = standin.database.rows(
        "SELECT event.*, delivery.id AS delivery_id, delivery.at, delivery.succeeded, delivery.http_code, "
        f"delivery.response {DELIVERIES} {chosen} ORDER BY delivery.seq DESC LIMIT ? OFFSET ?",
        [*chosen.parameters, paging.limit, (paging.page - 1) * paging.limit],
    )
    return page_of([_delivery(row) for row in rows], total, paging)


@router.post("/events/{event_id}/redeliver", status_code=202)
async def redeliver_event(standin: Standin, event_id: UUID) -> dict[str, Any]:
    if not standin.hooks.redeliver(str(event_id)):
        raise ResourceNotFound
    return {}


def _delivery(row: sqlite3.Row) -> Document:
    over = row["state"] in {"succeeded", "failed"}
    event = {
        "id": row["id"], "created_at": iso(row["created_at"]), "modified_at": None,
        "last_http_code": row["last_http_code"], "succeeded": row["state"] == "succeeded" if over else None,
        "skipped": row["state"] == "skipped", "api_version": API_VERSION, "payload": row["payload"],
        "type": row["type"], "is_archived": False,
    }  # fmt: skip
    return {
        "id": row["delivery_id"], "created_at": iso(row["at"]), "modified_at": None, "succeeded": bool(row["succeeded"]),
        "http_code": row["http_code"], "response": row["response"], "webhook_event": event,
    }  # fmt: skip
