"""Domain to contract: the only translation."""

from __future__ import annotations

from courtside_contracts.user import UserProfile
from services.booking.users.domain import User


def profile(user: User) -> UserProfile:
    return UserProfile(user_id=user.id, version=user.version, email=user.email, name=user.name, locale=user.locale)
