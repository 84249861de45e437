from __future__ import annotations

from typing import Literal

from services.chassis import problems

Cause = Literal["bounced", "complained", "suppressed"]


class SuppressionNotFound(problems.NotFound):
    """There is no such suppression."""


class SuppressionLifted(problems.Conflict):
    """The suppression was lifted before; the address may have got another one since."""


def normal(address: str) -> str:
    """One address however it is written: mail servers that tell capitals apart are extinct."""
    return address.strip().lower()
