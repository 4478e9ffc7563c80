"""What may be on a disk after its power went: read from what `shim.c` recorded of the operations before.

What was synced is there. Of what was not, names are there up to some point in their folder's order, and data by
sectors of 512 bytes, each or not: a drive's cache keeps no order. A file that was synced, but whose folder was not
since it got its name, may be gone: that is stricter than ext4 and XFS are, and all that POSIX promises.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

HEADER = struct.Struct("<B3xIqQ")
CREATE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR = range(1, 8)
SECTOR = 512


class Operation(NamedTuple):
    op: int
    path: str
    offset: int  # of a write; the new length of a truncation
    data: bytes  # of a write; the new name of a rename


def read_log(log: Path) -> list[Operation]:
    data = memoryview(log.read_bytes())
    found, at = [], 0
    while at < len(data):
        op, path_length, offset, length = HEADER.unpack_from(data, at)
        at += HEADER.size
        path = bytes(data[at : at + path_length]).decode()
        at += path_length
        payload = bytes(data[at : at + length]) if op in (WRITE, RENAME) else b""
        at += len(payload)
        found.append(Operation(op, path, offset, payload))
    return found


@dataclass
class Inode:
    content: bytearray = field(default_factory=bytearray)  # what is surely there
    pending: list[Operation] = field(default_factory=list)  # since it was synced

    def seen(self) -> bytes:
        """What a process reads."""
        content = bytearray(self.content)
        for operation in self.pending:
            change(content, operation)
        return bytes(content)

    def sync(self) -> None:
        for operation in self.pending:
            change(self.content, operation)
        self.pending.clear()


def change(content: bytearray, operation: Operation) -> None:
    if operation.op == TRUNCATE:
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
        return
    content.extend(bytes(max(0, operation.offset - len(content))))
    content[operation.offset : operation.offset + len(operation.data)] = operation.data


class Disk:
    """Starts with files that are all on it."""

    def __init__(self, root: Path) -> None:
        self.names: dict[str, Inode | None] = {".": None}  # as the running process saw them; None for folders
        for path in sorted(root.rglob("*")):
            inode = Inode(bytearray(path.read_bytes())) if path.is_file() else None
            self.names[path.relative_to(root).as_posix()] = inode
        self._kept = dict(self.names)  # names that are surely there
        self._renamed: dict[str, list[tuple[str, Inode | None, str | None]]] = {}  # by folder: name, file, former name

    def take(self, operation: Operation) -> None:
        op, path = operation.op, operation.path
        if op in (WRITE, TRUNCATE):
            self._file(path).pending.append(operation)
        elif op == SYNC:
            self._sync(path)
        elif op in (CREATE, MKDIR):
            self._name(path, Inode() if op == CREATE else None)
        elif op == RENAME:
            self._name(operation.data.decode(), self.names.pop(path), path)
        elif op == UNLINK:
            del self.names[path]
            self._pending(path).append((path, None, path))

    def _file(self, path: str) -> Inode:
        found = self.names[path]
        assert found is not None, path
        return found

    def _pending(self, path: str) -> list[tuple[str, Inode | None, str | None]]:
        return self._renamed.setdefault(PurePosixPath(path).parent.as_posix(), [])

    def _name(self, path: str, inode: Inode | None, former: str | None = None) -> None:
        self.names[path] = inode
        self._pending(path).append((path, inode, former))

    def _sync(self, path: str) -> None:
        inode = self.names[path]
        if inode is not None:
            inode.sync()
        else:
            self._kept = self._names_with(self._kept, self._renamed.pop(path, []))

    @staticmethod
    def _names_with(
        names: dict[str, Inode | None], changes: list[tuple[str, Inode | None, str | None]]
    ) -> dict[str, Inode | None]:
        names = dict(names)
        for path, inode, former in changes:
            if former is not None:
                names.pop(former, None)
            if former != path:
                names[path] = inode
        return names

    def killed(self, root: Path) -> None:
        """Writes what the kernel has after the process alone has gone: all of it, synced or not."""
        _write(root, {path: inode and inode.seen() for path, inode in self.names.items()})

    def cut(self, rng: random.Random, root: Path) -> None:
        """Writes one of the states in which the disk may be now."""
        names = self._kept
        for folder in sorted(self._renamed):
            changes = self._renamed[folder]
            names = self._names_with(names, changes[: rng.randint(0, len(changes))])
        _write(root, {path: inode and _after_cut(inode, rng) for path, inode in sorted(names.items())})


def _write(root: Path, contents: dict[str, bytes | None]) -> None:
    """Folders have None."""
    root.mkdir(parents=True)
    for path, content in sorted(contents.items()):
        if path == "." or not (root / path).parent.is_dir():
            continue  # where its folder itself is not there
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


def _after_cut(inode: Inode, rng: random.Random) -> bytes:
    content = bytearray(inode.content)
    kept = rng.choice((0.0, 0.5, 0.9, 1.0))
    for operation in inode.pending:
        for part in _sectors(operation):
            if rng.random() < kept:
                change(content, part)
    return bytes(content)


def _sectors(operation: Operation) -> Iterator[Operation]:
    if operation.op == TRUNCATE:
        yield operation
        return
    at, end = operation.offset, operation.offset + len(operation.data)
    while at < end:
        until = min(end, (at // SECTOR + 1) * SECTOR)
        yield operation._replace(offset=at, data=operation.data[at - operation.offset : until - operation.offset])
        at = until
