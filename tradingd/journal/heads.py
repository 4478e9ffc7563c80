"""heads.jsonl: the signed heads of a journal, one line each, oldest first."""

import os
import threading
from pathlib import Path
from typing import Self

from tradingd.journal.errors import JournalDamaged
from tradingd.journal.faults import point
from tradingd.journal.folder import fsync_folder

NAME = "heads.jsonl"
TAIL_BYTES = 65_536  # a line has less than 1,000


class HeadsFile:
    """What the journal's writer appends to; nobody else may. Threads take turns."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size
        self._turn = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Cuts off a line that a crash left half written. Raises JournalDamaged, OSError."""
        path = folder / NAME
        is_new = not path.exists()
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if is_new:
            fsync_folder(folder)
        try:
            return cls(fd, _whole_lines(fd, path))
        except JournalDamaged:
            os.close(fd)
            raise

    def append(self, line: bytes) -> None:
        """Durable when it returns. What a failure leaves of a line, the next one replaces. Raises OSError."""
        with self._turn:
            os.ftruncate(self._fd, self._size)
            point("heads.before-write")
            written = os.pwrite(self._fd, line, self._size)
            point("heads.after-write")
            os.fdatasync(self._fd)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes could be written")
            self._size += len(line)

    def close(self) -> None:
        with self._turn:
            os.close(self._fd)


def _whole_lines(fd: int, path: Path) -> int:
    """How many bytes of the file are lines that have an end."""
    size = os.fstat(fd).st_size
    begin = max(0, size - TAIL_BYTES)
    end = os.pread(fd, TAIL_BYTES, begin).rfind(b"\n") + 1
    if end == 0 and begin > 0:
        raise JournalDamaged(f"{path} does not end in signed heads; restore it, or see what `trade verify` says")
    return begin + end


def split_lines(content: bytes) -> tuple[list[bytes], bytes]:
    """The lines of a file, and what stands after the end of the last one."""
    *lines, rest = content.split(b"\n")
    return lines, rest
