from __future__ import annotations


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Does the client hold this very version? Weak comparison, as RFC 9110 13.1.2 asks for."""
    if if_none_match is None:
        return False
    held = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in held or etag.removeprefix("W/") in held
