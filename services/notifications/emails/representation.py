"""Mails as staff see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.notifications.emails.domain import Kind, State
from services.notifications.emails.tables import Email


class EmailOut(BaseModel):
    """`version` is the booking's that it tells of; 0 for mails about money. `to` and `subject` are empty once the reader was erased.

    `copy_of` is the mail that staff asked for again; `requested_by` is the subject of their token.
    """

    model_config = ConfigDict(title="Email")

    id: UUID
    kind: Kind
    booking_id: UUID
    version: int
    user_id: UUID | None
    state: State
    state_reason: str | None = Field(examples=["Permanent"])
    to: str | None = Field(examples=["ana.ruiz@example.com"])
    subject: str | None = Field(examples=["Confirmed: Court 2, Saturday, 28 November 2026, 18:00"])
    created_at: datetime
    sent_at: datetime | None
    reported_at: datetime | None
    copy_of: UUID | None
    requested_by: UUID | None
    request_reason: str | None


class AttachmentOut(BaseModel):
    model_config = ConfigDict(title="Attachment")

    filename: str
    content_type: str
    content: str = Field(description="Base64")


class EmailDetailOut(EmailOut):
    """With what it says, as it was rendered."""

    model_config = ConfigDict(title="EmailDetail")

    text: str | None
    html: str | None
    attachments: list[AttachmentOut]


class EmailsOut(BaseModel):
    """The newest first."""

    model_config = ConfigDict(title="Emails")

    items: list[EmailOut]
    next_cursor: str | None


def represent(email: Email) -> dict[str, Any]:
    kept = EmailOut.model_fields.keys() - {"to", "subject", "copy_of"}
    return {name: getattr(email, name) for name in kept} | {
        "to": next(iter(email.payload.get("to", ())), None),
        "subject": email.payload.get("subject"),
        "copy_of": email.copied_from,
    }


def represent_whole(email: Email) -> dict[str, Any]:
    content = {name: email.payload.get(name) for name in ("text", "html")}
    return represent(email) | content | {"attachments": email.payload.get("attachments", [])}
