"""How a provider delivers: how often, how long between, in which order, and how it signs."""

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from standardwebhooks.webhooks import Webhook

Headers = dict[str, str]


@dataclass(frozen=True)
class Policy:
    user_agent: str
    header_prefix: str
    """`webhook` or `svix`, before `-id`, `-timestamp` and `-signature`."""
    wait_s: Callable[[int], float | None]
    """After the n-th failed attempt; None: given up."""
    in_order_for_s: float
    """An event that was never tried holds back the newer ones of its endpoint for so long; 0: no order."""
    failures_to_disable: int | None
    """Completed events in a row."""
    failing_s_to_disable: float | None
    """Without any success."""
    time_scale: float
    timeout_s: float

    def signed(self, secret: str, signing: str, event_id: str, payload: str, at: datetime) -> Headers:
        """For one attempt."""
        prefix = self.header_prefix
        return {
            "content-type": "application/json",
            "user-agent": self.user_agent,
            f"{prefix}-id": event_id,
            f"{prefix}-timestamp": str(math.floor(at.timestamp())),
            f"{prefix}-signature": _signer(secret, signing).sign(event_id, at, payload),
        }

    def corrupted(self, headers: Mapping[str, str]) -> Headers:
        name = f"{self.header_prefix}-signature"
        version, _, signature = headers[name].partition(",")
        return {**headers, name: f"{version},{base64.b64encode(b'not ' + signature.encode()).decode()}"}


def _signer(secret: str, signing: str) -> Webhook:
    if signing == "legacy":  # the whole secret is the key, its prefix included
        return Webhook(base64.b64encode(secret.encode()).decode())
    return Webhook(secret)
