"""Who a user is, and what is refused to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis import problems


class UserErased(problems.Forbidden):
    """The token is valid, its user asked to be forgotten. There is no way back under this id."""

    def __init__(self) -> None:
        super().__init__("This user was erased. The identity provider can give you a new account.")


class UserNotFound(problems.NotFound):
    """There is no such user, or they were erased."""


class EmailBelongsToAnotherUser(problems.Conflict):
    """The token's e-mail address is that of another user of the club."""


class HasActiveBookings(problems.Conflict):
    """`bookings` lists them: they must be cancelled first."""


class StaffOnly(problems.Forbidden):
    """Only the staff of the venue may do that."""


@dataclass(frozen=True)
class User:
    """`locale` is a BCP 47 tag."""

    id: UUID
    email: str
    name: str
    locale: str
    version: int
    created_at: datetime
