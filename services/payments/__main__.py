"""`python -m services.payments [api|worker|all|migrate|openapi]`."""

from services.chassis.service import main
from services.payments.app import build, openapi
from services.payments.settings import PaymentsSettings

if __name__ == "__main__":
    main(PaymentsSettings, build, openapi)
