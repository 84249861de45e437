"""Polar's API about the endpoints of webhooks: a second one, another secret, switched on again."""

import base64
import secrets
import sqlite3
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from deploy.standins.clock import iso
from deploy.standins.polar.errors import ResourceNotFound
from deploy.standins.polar.inputs import WebAddress
from deploy.standins.polar.listing import Paging, page_of
from deploy.standins.polar.parts import Standin
from deploy.standins.polar.shapes import new_id
from deploy.standins.polar.state import Document
from deploy.standins.polar.webhooks import API_VERSION

router = APIRouter(prefix="/v1/webhooks/endpoints")

SECRET_BYTES = 24


class EndpointCreate(BaseModel):
    url: WebAddress
    events: Annotated[list[str], Field(min_length=1)]
    format: Literal["raw"] = "raw"


class EndpointUpdate(BaseModel):
    url: WebAddress | None = None
    events: Annotated[list[str], Field(min_length=1)] | None = None
    enabled: bool | None = None


@router.get("")
async def list_endpoints(standin: Standin, paging: Paging) -> Document:
    rows = standin.database.rows("SELECT * FROM webhook_endpoints ORDER BY created_at")
    return page_of([_endpoint(standin, row) for row in rows], len(rows), paging)


@router.post("", status_code=201)
async def create_endpoint(standin: Standin, body: EndpointCreate) -> Document:
    """With a secret of Polar's making: there is no way to give one of your own."""
    endpoint_id = new_id()
    standin.hooks.register(endpoint_id, body.url, _new_secret(), " ".join(body.events))
    return _endpoint(standin, _row(standin, endpoint_id))


@router.get("/{endpoint_id}")
async def get_endpoint(standin: Standin, endpoint_id: UUID) -> Document:
    return _endpoint(standin, _row(standin, str(endpoint_id)))


@router.patch("/{endpoint_id}")
async def update_endpoint(standin: Standin, endpoint_id: UUID, body: EndpointUpdate) -> Document:
    """Enabling sends nothing that was skipped meanwhile; ask for it by redelivery."""
    _row(standin, str(endpoint_id))
    standin.database.execute(
        "UPDATE webhook_endpoints SET url = COALESCE(?, url), events = COALESCE(?, events) WHERE id = ?",
        (body.url, " ".join(body.events) if body.events else None, str(endpoint_id)),
    )
    if body.enabled is not None:
        standin.hooks.switch(str(endpoint_id), enabled=body.enabled)
    return _endpoint(standin, _row(standin, str(endpoint_id)))


@router.patch("/{endpoint_id}/secret")
async def reset_secret(standin: Standin, endpoint_id: UUID) -> Document:
    """From the next attempt on, also of events that were made before."""
    _row(standin, str(endpoint_id))
    standin.database.execute(
        "UPDATE webhook_endpoints SET secret = ?, signing = 'standard' WHERE id = ?", (_new_secret(), str(endpoint_id))
    )
    return _endpoint(standin, _row(standin, str(endpoint_id)))


@router.delete("/{endpoint_id}", status_code=204)
async def delete_endpoint(standin: Standin, endpoint_id: UUID) -> None:
    _row(standin, str(endpoint_id))
    standin.database.execute("DELETE FROM webhook_endpoints WHERE id = ?", (str(endpoint_id),))


def _row(standin: Standin, endpoint_id: str) -> sqlite3.Row:
    row = standin.database.row("SELECT * FROM webhook_endpoints WHERE id = ?", (endpoint_id,))
    if row is None:
        raise ResourceNotFound
    return row


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def _endpoint(standin: Standin, row: sqlite3.Row) -> Document:
    return {
        "id": row["id"], "created_at": iso(row["created_at"]), "modified_at": None, "url": row["url"], "name": None,
        "api_version": API_VERSION, "format": "raw", "secret": row["secret"],
        "organization_id": standin.organization_id, "events": row["events"].split(), "enabled": bool(row["enabled"]),
        "uses_standard_webhook_signature": row["signing"] == "standard",
    }  # fmt: skip
