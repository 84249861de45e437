from __future__ import annotations


class CouldNotCheck(Exception):
    """A source of facts is missing or cannot be read: nothing is known of the run, good or bad."""
