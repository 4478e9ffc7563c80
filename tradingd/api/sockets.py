"""Unix sockets in the file system: binding without a race, stale files, long paths, and who is at the other end."""

import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_NAME = "control.sock"
_SUN_PATH_BYTES = 108  # of the address, with its closing NUL
_PROBE_TIMEOUT_S = 1.0


class SocketPathError(Exception):
    """The control socket can not be made there; the message says why and what to do."""


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket bound at `path` that only its owner may use; the file is gone afterwards. Raises SocketPathError."""
    _clear(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            inode = _bind(sock, path)
        except OSError as error:
            raise SocketPathError(f"can not make the control socket {path}: {error.strerror or error}") from error
        try:
            yield sock
        finally:
            if _inode(path) == inode:
                path.unlink()


@contextmanager
def address(path: Path) -> Iterator[str]:
    """`path` as a socket address, however long it is: a folder that is too deep is reached by its descriptor."""
    if len(os.fsencode(path)) < _SUN_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def peer(sock: socket.socket) -> str:
    """Who is connected: "uid=1000(name) pid=42", as the kernel says."""
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return f"uid={uid}({_user_name(uid)}) pid={pid}"


def _bind(sock: socket.socket, path: Path) -> int:
    """The new socket's inode. Its mode is 0600 from the first moment, hence by umask."""
    before = os.umask(0o177)
    try:
        with address(path) as where:
            sock.bind(where)
    finally:
        os.umask(before)
    return path.stat().st_ino


def _clear(path: Path) -> None:
    """Removes what a killed daemon left; anything else that stands there is not ours to remove."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketPathError(f"{path} is not a socket; move it away, or set daemon.control_socket to another path")
    if _answers(path):
        raise SocketPathError(f"another daemon answers at {path}; stop it first: tradingd stop")
    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, address(path) as where:
        probe.settimeout(_PROBE_TIMEOUT_S)
        try:
            probe.connect(where)
        except ConnectionRefusedError:
            return False
        return True


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "?"
