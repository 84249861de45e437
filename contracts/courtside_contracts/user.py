"""`user.profiles`: who a user is, now. Compacted, key: `user_id`; a null value (a tombstone) says that the user was erased.

The one topic with personal data: only payments and notifications may read it.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from courtside_contracts import topics
from courtside_contracts.envelope import Event


class UserProfile(Event):
    """`locale` is a BCP 47 tag: `es`, `en-GB`. `version` grows with each change of the user: keep the highest."""

    type: ClassVar[str] = "user.profile.v1"
    topic: ClassVar[str] = topics.USER_PROFILES.name
    source: ClassVar[str] = "/courtside/booking"

    user_id: UUID
    version: int = Field(ge=1)
    email: str
    name: str
    locale: str
    staff_of: tuple[UUID, ...] = ()
    """The venues where they work: together with the role `staff` in their token it lets them act for these."""

    @property
    def key(self) -> str:
        return str(self.user_id)
