"""Where the entries of DuckDB's write-ahead log have their sizes."""

import struct

SIZE = struct.Struct("<Q")
ENTRY_HEADER_SIZE = 16  # size and checksum
FIRST_ENTRY_MAX = 256  # a header of the file, which has no fixed length, stands before the first entry


def size_fields(log: bytes) -> list[int]:
    """Offsets of all bytes that are part of a size."""
    starts = next(found for first in range(FIRST_ENTRY_MAX) if (found := _entries(log, first)))
    return [start + byte for start in starts for byte in range(SIZE.size)]


def _entries(log: bytes, first: int) -> list[int]:
    """Offsets of the entries if the first is there; none if they do not come to the end of the log."""
    starts = []
    while first + ENTRY_HEADER_SIZE < len(log):
        starts.append(first)
        first += ENTRY_HEADER_SIZE + SIZE.unpack_from(log, first)[0]
    return starts if first == len(log) else []
