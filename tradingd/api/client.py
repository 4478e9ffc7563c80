"""Asks a running daemon, synchronously: for the command line and for tests."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from tradingd.api.messages import (
    REPLY_BYTES_MAX,
    Failed,
    Following,
    Happened,
    Recorded,
    Request,
    Status,
    decode_line,
    decode_reply,
    encode,
)
from tradingd.api.sockets import address

T = TypeVar("T")


class DaemonUnreachableError(Exception):
    """Nobody answers at the control socket; the message says where and what to do."""


class RequestFailedError(Exception):
    """The daemon answered, and the answer is no."""


def call(path: Path, request: Request, timeout_s: float = 15.0) -> Status | Recorded:
    """One request, one reply. Raises DaemonUnreachableError and RequestFailedError."""
    with _connected(path, timeout_s) as sock:
        sock.sendall(encode(request))
        with sock.makefile("rb") as stream:
            reply = _decoded(path, decode_reply, stream.readline(REPLY_BYTES_MAX))
    if isinstance(reply, Failed):
        raise RequestFailedError(reply.error)
    return reply


def follow(path: Path, timeout_s: float = 15.0) -> Iterator[Following | Happened]:
    """Durable events as they come, `Following` first, until the daemon ends.

    Raises DaemonUnreachableError, and RequestFailedError where the daemon has let us go.
    """
    with _connected(path, timeout_s) as sock:
        sock.sendall(encode(Request("tail")))
        with sock.makefile("rb") as stream:
            while line := stream.readline():
                sock.settimeout(None)  # it answered; now nothing may happen for long
                said = _decoded(path, decode_line, line)
                if isinstance(said, Failed):
                    raise RequestFailedError(said.error)
                yield said


@contextmanager
def _connected(path: Path, timeout_s: float) -> Iterator[socket.socket]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout_s)
            with address(path) as where:
                sock.connect(where)
            yield sock
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise DaemonUnreachableError(f"no daemon runs here (no one listens at {path})") from error
    except PermissionError as error:
        raise DaemonUnreachableError(f"{path} belongs to another user; run this as the daemon's user") from error
    except TimeoutError as error:
        raise DaemonUnreachableError(f"the daemon at {path} did not answer within {timeout_s:g} s") from error
    except OSError as error:
        raise DaemonUnreachableError(f"can not talk to the daemon at {path}: {error.strerror or error}") from error


def _decoded(path: Path, decode: Callable[[bytes], T], line: bytes) -> T:
    try:
        return decode(line)
    except msgspec.DecodeError as error:
        said = "nothing" if not line else "something that is no reply"
        raise DaemonUnreachableError(f"the daemon at {path} closed the connection and said {said}") from error
