"""What a figure was measured on, or a run was played on: the commit of the working tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.local.environment import ROOT


def commit(tree: Path = ROOT) -> str:
    """A `+` behind it says that there is more than was committed. `unknown` where git knows nothing of it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],  # noqa: S607 - whichever git there is
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"
