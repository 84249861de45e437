"""`python -m services.payments [api|worker|all|migrate|openapi|restored]`."""

from services.chassis.service import main
from services.payments import restored
from services.payments.app import build, openapi
from services.payments.settings import PaymentsSettings

if __name__ == "__main__":
    main(PaymentsSettings, build, openapi, restored=restored.run)
