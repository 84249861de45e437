"""Conditional reads, RFC 9110 section 13.1.2."""

from __future__ import annotations


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this answer already. Compared weakly: a proxy that compresses may have marked the tag with `W/`."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags
