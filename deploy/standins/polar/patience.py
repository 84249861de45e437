"""How Polar delivers webhooks."""

import random

from deploy.standins.polar.settings import Settings
from deploy.standins.webhooks.policy import Policy

ATTEMPTS = 10
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 10 * 60  # before chance doubles it
IN_ORDER_FOR_S = 60
FAILURES_TO_DISABLE = 10


def policy(settings: Settings) -> Policy:
    return Policy(
        user_agent="polar.sh webhooks",
        header_prefix="webhook",
        wait_s=_wait_s,
        in_order_for_s=IN_ORDER_FOR_S if settings.webhook_in_order else 0,
        failures_to_disable=FAILURES_TO_DISABLE,
        failing_s_to_disable=None,
        time_scale=settings.webhook_time_scale,
        timeout_s=settings.webhook_timeout_s,
    )


def _wait_s(attempts: int) -> float | None:
    """After the n-th attempt 2 s x 2^n, up to doubled by chance: 4-8 s, 8-16 s, ... 10-20 min; given up after ten."""
    if attempts >= ATTEMPTS:
        return None
    wait_s: float = min(FIRST_WAIT_S * 2.0**attempts, LONGEST_WAIT_S)
    return wait_s * random.uniform(1, 2)  # noqa: S311 - spreads load, guards nothing
