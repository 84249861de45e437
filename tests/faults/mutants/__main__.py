"""`COURTSIDE_MUTANT=<name> python -m tests.faults.mutants services.<name> <role>`: the service's own program, with that one defect.

Without the variable, or with a defect of another service, it is the product as it is.
"""

from __future__ import annotations

import os
import runpy
import sys

from tests.faults.mutants.catalogue import MUTANTS, VARIABLE


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, name = sys.argv[1], os.environ.get(VARIABLE)
    if name:
        MUTANTS[name].spoil(program.removeprefix("services."))
    sys.argv = sys.argv[1:]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


main()
