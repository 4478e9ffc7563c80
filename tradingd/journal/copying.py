"""Copies of files that are on the disk, and whole, when they are said to be there.

Never of a live segment in the process that writes it: to close a file drops DuckDB's lock on it.
"""

import hashlib
import os
from pathlib import Path

CHUNK_BYTES = 1 << 20


def unfinished(path: Path) -> Path:
    """Where a copy is made before it gets its name."""
    return path.with_name(path.name + ".new")


def copy_file(source: Path, target: Path) -> str:
    """As many bytes as `source` has now, durably; their sha256. The name is not durable yet."""
    digest = hashlib.sha256()
    target.unlink(missing_ok=True)
    with source.open("rb") as file, target.open("wb") as copy:
        left = os.fstat(file.fileno()).st_size
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_beginning(path: Path, whole: Path) -> bool:
    """Whether `whole` begins with all that `path` holds."""
    with path.open("rb") as beginning, whole.open("rb") as file:
        while chunk := beginning.read(CHUNK_BYTES):
            if file.read(len(chunk)) != chunk:
                return False
    return True
