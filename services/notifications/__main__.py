"""`python -m services.notifications [api|worker|all|migrate|openapi|restored]`"""

from services.chassis.service import main
from services.notifications import restored
from services.notifications.app import build, openapi
from services.notifications.settings import NotificationsSettings

if __name__ == "__main__":
    main(NotificationsSettings, build, openapi, restored=restored.run)
