"""Asks a running daemon, synchronously: for the command line and for tests."""

import socket
from pathlib import Path

import msgspec

from tradingd.api.messages import REPLY_BYTES_MAX, Failed, Recorded, Reply, Request, Status, decode_reply, encode
from tradingd.api.sockets import address


class DaemonUnreachableError(Exception):
    """Nobody answers at the control socket; the message says where and what to do."""


class RequestFailedError(Exception):
    """The daemon answered, and the answer is no."""


def call(path: Path, request: Request, timeout_s: float = 15.0) -> Status | Recorded:
    """One request, one reply. Raises DaemonUnreachableError and RequestFailedError."""
    try:
        reply = _exchange(path, request, timeout_s)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise DaemonUnreachableError(f"no daemon runs here (no one listens at {path})") from error
    except PermissionError as error:
        raise DaemonUnreachableError(f"{path} belongs to another user; run this as the daemon's user") from error
    except TimeoutError as error:
        raise DaemonUnreachableError(f"the daemon at {path} did not answer within {timeout_s:g} s") from error
    except OSError as error:
        raise DaemonUnreachableError(f"can not talk to the daemon at {path}: {error.strerror or error}") from error
    if isinstance(reply, Failed):
        raise RequestFailedError(reply.error)
    return reply


def _exchange(path: Path, request: Request, timeout_s: float) -> Reply:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        with address(path) as where:
            sock.connect(where)
        sock.sendall(encode(request))
        with sock.makefile("rb") as stream:
            line = stream.readline(REPLY_BYTES_MAX)
    try:
        return decode_reply(line)
    except msgspec.DecodeError as error:
        said = "nothing" if not line else "something that is no reply"
        raise DaemonUnreachableError(f"the daemon at {path} closed the connection and said {said}") from error
