"""What can go wrong around the local stack. The command prints the sentence, and leaves with the exit code.

Trouble
├── WrongEnvironment   2: the machine, the arguments or the environment must change first
└── PartFailed         1: a part of the stack did not come up, or did not do its work
"""

from __future__ import annotations


class Trouble(Exception):
    exit_code = 1


class WrongEnvironment(Trouble):
    exit_code = 2


class PartFailed(Trouble):
    """`log_tail` is what the part said last: it goes below the sentence."""

    def __init__(self, sentence: str, log_tail: str = "") -> None:
        super().__init__(sentence)
        self.log_tail = log_tail
