"""The sixty faults that this system is built for, and for each the tests that show what becomes of it.

`python -m tests.faults.catalogue > docs/faults.md` writes the page; `tests/tidy/test_faults.py` holds both to the tests that there are.
"""

from __future__ import annotations

from tests.faults.catalogue import of_kafka, of_money_and_mails, of_the_database, of_the_world
from tests.faults.catalogue.row import Row as Row

ROWS = (*of_the_database.ROWS, *of_kafka.ROWS, *of_money_and_mails.ROWS, *of_the_world.ROWS)
EXPECTED = 60
