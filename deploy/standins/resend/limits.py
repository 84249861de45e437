"""How much of Resend a team has: requests in a second, recipients in a day and in a month."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from deploy.standins.resend.errors import QuotaExceeded
from deploy.standins.resend.state import Outbox

Limit = Literal["rate_per_s", "daily_quota", "monthly_quota"]
Span = Callable[[datetime], tuple[datetime, datetime]]


def most(outbox: Outbox, limit: Limit) -> int:
    """As a test has set it, else as the settings say; 0 is no limit."""
    told = outbox.database.value("SELECT most FROM limits WHERE name = ?", (limit,))
    return int(getattr(outbox.settings, limit) if told is None else told)


def tell(outbox: Outbox, limit: str, value: int) -> None:
    outbox.database.execute("INSERT OR REPLACE INTO limits (name, most) VALUES (?, ?)", (limit, value))


def check_quotas(outbox: Outbox, recipients: int) -> None:
    """QuotaExceeded when these recipients are too many for the day or the month."""
    for period, limit, span in PERIODS:
        allowed = most(outbox, limit)
        if allowed and used(outbox, span) + recipients > allowed:
            now = _now(outbox)
            raise QuotaExceeded(period, int((span(now)[1] - now).total_seconds()) + 1)


def headers(outbox: Outbox) -> dict[str, str]:
    """What is used up, for teams that have a quota."""
    return {
        f"x-resend-{period}-quota": str(used(outbox, span)) for period, limit, span in PERIODS if most(outbox, limit)
    }


def used(outbox: Outbox, span: Span) -> int:
    """Recipients since the period began; copies count too."""
    since = span(_now(outbox))[0].timestamp()
    total = "SELECT COALESCE(SUM(recipients), 0) FROM emails WHERE created_at >= ?"
    return int(outbox.database.value(total, (since,)))


def _day(now: datetime) -> tuple[datetime, datetime]:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def _month(now: datetime) -> tuple[datetime, datetime]:
    start = _day(now)[0].replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


def _now(outbox: Outbox) -> datetime:
    return datetime.fromtimestamp(outbox.clock.now(), UTC)


PERIODS: tuple[tuple[str, Limit, Span], ...] = (
    ("daily", "daily_quota", _day),
    ("monthly", "monthly_quota", _month),
)
