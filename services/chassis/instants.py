"""What the API takes for an instant: RFC 3339, with an offset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

Instant = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))]
"""To look for rows by: at the ends of the calendar the database's arithmetic, and Python's, overflow."""


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a string: an RFC 3339 instant with an offset")  # noqa: TRY004 - pydantic's protocol
    return value


Rfc3339 = Annotated[AwareDatetime, BeforeValidator(_only_text)]
"""Of a body. Pydantic alone would take a number for seconds since 1970."""
