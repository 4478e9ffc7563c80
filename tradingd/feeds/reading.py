"""Files as chunks of whole lines, plain or gzip, never the whole file at once."""

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from tradingd.feeds.contract import FeedConfigError

CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


class FileDamagedError(Exception):
    """The rest of a file can not be read; what came before it was delivered."""


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def open_bytes(path: Path) -> BufferedIOBase:
    """The content, unpacked where the file begins like gzip, whatever its name."""
    return gzip.open(path, "rb") if is_gzip(path) else path.open("rb")


def check_readable(path: Path, feed: str) -> None:
    """Raises FeedConfigError where there is no such file, nothing in it, or no reading it."""
    if not path.is_file():
        raise FeedConfigError(f"feed {feed}: no file {path}; give a path relative to the config's folder, or absolute")
    try:
        with open_bytes(path) as file:
            empty = not file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise FeedConfigError(f"feed {feed}: can not read {path}: {error}") from error
    if empty:
        raise FeedConfigError(f"feed {feed}: {path} is empty; remove it from `files`")


def line_chunks(path: Path) -> Iterator[list[bytes]]:
    """Lines without their ends. Raises FileDamagedError after the last line that could be read."""
    rest = b""
    with open_bytes(path) as file:
        for block in _blocks(file):
            if isinstance(block, FileDamagedError):
                yield from [[rest]] if rest else []
                raise block
            *lines, rest = (rest + block).split(b"\n")
            yield lines
    if rest:
        yield [rest]


def _blocks(file: BufferedIOBase) -> Iterator[bytes | FileDamagedError]:
    """Of at least CHUNK_BYTES but for the last one. What was read before damage is not lost with it."""
    more = True
    while more:
        parts: list[bytes] = []
        try:
            more = _read_chunk(file, parts)
        except (OSError, EOFError, zlib.error) as error:
            yield b"".join(parts)
            yield FileDamagedError(f"the file can not be read any further: {error}")
            return
        yield b"".join(parts)


def _read_chunk(file: BufferedIOBase, parts: list[bytes]) -> bool:
    """Appends what could be read; False at the end of the file."""
    size = 0
    while size < CHUNK_BYTES:
        part = file.read1(CHUNK_BYTES)
        if not part:
            return False
        parts.append(part)
        size += len(part)
    return True
