from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from uuid_utils.compat import uuid7

from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts import mutations as checkouts
from services.payments.checkouts.domain import Attempt, Checkout
from services.payments.history.domain import RECONCILER
from services.payments.reconciliation.domain import Difference, Repair
from services.payments.reconciliation.tables import Reconciliation


async def begin(work: UnitOfWork, since: datetime | None, actor: str) -> UUID:
    """Its id. `since` is None when everything is to be compared."""
    reconciliation_id = uuid7()
    begun = {"id": reconciliation_id, "actor": actor, "since": since, "started_at": work.now}
    await work.session.execute(insert(Reconciliation).values(**begun, seen={}, repaired={}, differences=[]))
    return reconciliation_id


async def end(
    work: UnitOfWork,
    reconciliation_id: UUID,
    seen: Mapping[str, int],
    repaired: Mapping[Repair, int],
    differences: Sequence[Difference],
    failure: str | None = None,
) -> None:
    values = {"seen": dict(seen), "repaired": dict(repaired), "differences": [asdict(one) for one in differences]}
    ended = update(Reconciliation).where(Reconciliation.id == reconciliation_id)
    await work.session.execute(ended.values(ended_at=work.now, failure=failure, **values))


async def take_up_page(work: UnitOfWork, attempt: Attempt, page: Checkout) -> Repair | None:
    """A page that was made and whose answer got lost is shown, if its hold still lasts; one at which nobody can pay any more has ended."""
    quote = attempt.quote
    asks_for_it = (page.amount_minor, page.currency) == (quote.amount_minor, quote.currency)
    if attempt.state == "creating" and page.status == "open" and asks_for_it:
        return "page shown" if await checkouts.show(work, quote, page, RECONCILER) else None
    if attempt.checkout_id == page.id and page.is_over and await checkouts.lapse(work, quote.attempt_id, RECONCILER):
        return "page ended"
    return None
