from __future__ import annotations

import sys

from tests.faults.catalogue import ROWS
from tests.faults.catalogue.page import page

sys.stdout.write(page(ROWS))
