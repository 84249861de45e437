from services.chassis.crons import METADATA as CRONS
from services.chassis.idempotency import METADATA as IDEMPOTENCY
from services.chassis.limits import METADATA as LIMITS
from services.chassis.migrations import run_env
from services.notifications.emails import tables as emails
from services.notifications.metadata import Base
from services.notifications.recipients import tables as recipients

TABLES = (emails, recipients)  # imported, they are in the metadata

run_env(Base.metadata, IDEMPOTENCY, CRONS, LIMITS)
