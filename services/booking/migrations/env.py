from services.booking.blocked_slots import tables as _blocked_slots  # noqa: F401
from services.booking.bookings import tables as _bookings  # noqa: F401 - the tables must be known
from services.booking.calendars import tables as _calendars  # noqa: F401
from services.booking.closures import tables as _closures  # noqa: F401
from services.booking.metadata import metadata
from services.booking.users import tables as _users  # noqa: F401
from services.booking.venues import tables as _venues  # noqa: F401
from services.chassis.crons import METADATA as CRONS
from services.chassis.idempotency import METADATA as IDEMPOTENCY
from services.chassis.limits import METADATA as LIMITS
from services.chassis.migrations import run_env

run_env(metadata, IDEMPOTENCY, CRONS, LIMITS)
