from services.booking import restored
from services.booking.app import build, openapi
from services.booking.settings import BookingSettings
from services.booking.venues import seed
from services.chassis.service import main

if __name__ == "__main__":
    main(BookingSettings, build, openapi, seed=seed.run, restored=restored.run)
