"""How Resend delivers webhooks: Svix does it."""

from deploy.standins.resend.settings import Settings
from deploy.standins.webhooks.policy import Policy

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
WAITS_S = (5.0, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 10 * HOUR_S)
FAILING_S_TO_DISABLE = 5 * DAY_S


def policy(settings: Settings) -> Policy:
    """In no order: what failed once is overtaken, and what begins together goes side by side."""
    return Policy(
        user_agent="Svix-Webhooks/1.0",
        header_prefix="svix",
        wait_s=lambda attempts: WAITS_S[attempts - 1] if attempts <= len(WAITS_S) else None,
        in_order_for_s=0,
        failures_to_disable=None,
        failing_s_to_disable=FAILING_S_TO_DISABLE,
        time_scale=settings.webhook_time_scale,
        timeout_s=settings.webhook_timeout_s,
    )
