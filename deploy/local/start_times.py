"""A pid alone says little: it is given again. Together with its start time it names one process."""

from __future__ import annotations

from pathlib import Path

import psutil


def start_time(pid: int) -> str | None:
    """When the process began, told apart to a hundredth of a second; None when there is none, or only a zombie."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if after_name[0] == "Z" else after_name[19]  # clock ticks since boot: no step of the clock moves it
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_time_without_proc(pid)


def _start_time_without_proc(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None
