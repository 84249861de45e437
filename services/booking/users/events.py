"""Domain to contract: the only translation."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from courtside_contracts.user import UserProfile
from services.booking.users.domain import User


def profile(user: User, staff_of: Sequence[UUID]) -> UserProfile:
    return UserProfile(
        user_id=user.id,
        version=user.version,
        email=user.email,
        name=user.name,
        locale=user.locale,
        staff_of=tuple(staff_of),
    )
