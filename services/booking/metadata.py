from sqlalchemy import MetaData
from sqlalchemy.orm import registry

from services.chassis.database import NAMING

metadata = MetaData(naming_convention=NAMING)
mapping = registry(metadata=metadata)
"""Domain objects are mapped from outside (each feature's `tables.py`), so that `domain.py` imports no database."""
