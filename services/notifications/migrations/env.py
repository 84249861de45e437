from services.chassis.crons import METADATA as CRONS
from services.chassis.idempotency import METADATA as IDEMPOTENCY
from services.chassis.limits import METADATA as LIMITS
from services.chassis.migrations import run_env
from services.notifications.bookings import tables as bookings
from services.notifications.emails import tables as emails
from services.notifications.metadata import Base
from services.notifications.recipients import tables as recipients
from services.notifications.suppressions import tables as suppressions
from services.notifications.webhooks import tables as webhooks

TABLES = (bookings, emails, recipients, suppressions, webhooks)  # imported, they are in the metadata

run_env(Base.metadata, IDEMPOTENCY, CRONS, LIMITS)
