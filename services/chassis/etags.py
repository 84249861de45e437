"""Conditional requests, RFC 9110 section 13.1."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from services.chassis.problems import Responses

IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The ETag that you have: 304 while it is current.")
]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The ETag that you have: refused with 412 when it is not current.")
]

ETAG = {"ETag": {"description": "For `If-Match` and `If-None-Match`", "schema": {"type": "string"}}}
TAGGED: Responses = {200: {"headers": ETAG}}
"""Of a route whose answer has one."""


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this answer already. Compared weakly: a proxy that compresses may have marked the tag with `W/`."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags
