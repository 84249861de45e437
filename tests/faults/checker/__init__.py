"""Judges a run of Courtside from outside: databases, topics and both providers must agree with each other and with what clients saw.

It shares no code with what it judges, so that one error cannot be in both. `README.md` says what it reads and what each invariant is.
"""

from tests.faults.checker.checking import check
from tests.faults.checker.verdict import Verdict
from tests.faults.checker.watching import watch

__all__ = ["Verdict", "check", "watch"]
