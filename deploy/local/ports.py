"""Questions to a TCP port: is it free, who holds it, does it serve?"""

from __future__ import annotations

import errno
import http.client
import random
import socket
from urllib.parse import urlsplit

import psutil

from deploy.local.environment import HOST, port_variable
from deploy.local.errors import WrongEnvironment

BELOW_OUTGOING = range(20_000, 24_000)
"""Where free ports are looked for: below the range that systems hand to outgoing connections, which could take one at any moment."""

ANSWER_SECONDS = 2


def refuse_used_port(part: str, port: int) -> None:
    """Says who wants the port, who has it, and how to go another way."""
    try:
        _bind(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"is in use{_by_whom(port)}; stop that, or set {port_variable(part)} to another port"
        else:
            reason = f"cannot be used ({error.strerror}); set {port_variable(part)} to another port"
        raise WrongEnvironment(f"port {port}, which {part} wants, {reason}") from error


def free_port() -> int:
    for port in random.sample(BELOW_OUTGOING, k=200):
        if is_free(port):
            return port
    raise WrongEnvironment(f"no free port found between {BELOW_OUTGOING.start} and {BELOW_OUTGOING.stop}")


def is_free(port: int) -> bool:
    try:
        _bind(port)
    except OSError:
        return False
    return True


def ready(url: str) -> bool:
    """`http:` must answer 200; `tcp:` must accept a connection. Goes straight to the port, past any proxy of the environment."""
    target = urlsplit(url)
    try:
        if target.scheme == "tcp":
            socket.create_connection((target.hostname or HOST, target.port or 0), ANSWER_SECONDS).close()
            return True
        connection = http.client.HTTPConnection(target.hostname or HOST, target.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", target.path)
            return connection.getresponse().status == http.HTTPStatus.OK
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


def _bind(port: int) -> None:
    """As the servers bind: what a closed connection left behind (TIME_WAIT) does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))


def _by_whom(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
        pids = {c.pid for c in connections if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN}
        holders = [f"{psutil.Process(pid).name()} (pid {pid})" for pid in sorted(filter(None, pids))]
    except psutil.Error:
        return ""  # other users' processes do not tell
    return f" by {', '.join(holders)}" if holders else ""
