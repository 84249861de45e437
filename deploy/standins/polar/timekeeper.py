"""What happens because time has passed: expiry, slow charges, pending refunds."""

import asyncio
import logging

from deploy.standins.polar import checkouts, payments, refunds
from deploy.standins.polar.state import Standin

LOOK_EVERY_S = 0.5

log = logging.getLogger(__name__)


def catch_up(standin: Standin) -> None:
    for checkout_id in payments.due(standin):
        checkouts.settle(standin, checkout_id)
    refunds.settle_due(standin)
    checkouts.expire_overdue(standin)


async def keep_time(standin: Standin) -> None:
    while True:
        try:
            catch_up(standin)
        except Exception:
            log.exception("what fell due could not be done")
        await asyncio.sleep(LOOK_EVERY_S)
