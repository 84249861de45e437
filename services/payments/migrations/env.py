from services.chassis.crons import METADATA as CRONS
from services.chassis.idempotency import METADATA as IDEMPOTENCY
from services.chassis.limits import METADATA as LIMITS
from services.chassis.migrations import run_env
from services.payments.checkouts.tables import PaymentAttempt
from services.payments.history.tables import HistoryEntry
from services.payments.metadata import Base
from services.payments.orders.tables import PaidOrder
from services.payments.profiles.tables import Profile
from services.payments.quarantine.tables import QuarantinedOrder
from services.payments.reconciliation.tables import Reconciliation
from services.payments.refunds.tables import Refund
from services.payments.webhooks.tables import ReceivedWebhook

TABLES = (
    PaymentAttempt,
    PaidOrder,
    QuarantinedOrder,
    Profile,
    ReceivedWebhook,
    Refund,
    HistoryEntry,
    Reconciliation,
)  # known to `Base` by being imported

run_env(Base.metadata, IDEMPOTENCY, CRONS, LIMITS)
