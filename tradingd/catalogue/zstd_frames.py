"""Whether a Zstandard file was written to its end: decoders that stream give what there is and say nothing.

The layout is that of RFC 8878, section 3.1.
"""

import os
from typing import IO

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = 0x184D2A50
_RLE = 1


def are_whole(file: IO[bytes]) -> bool:
    """Whether each frame has its last block and its checksum, where it has one; reads headers only."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    while at < end:
        file.seek(at)
        at = _frame_end(file)
        if at < 0:
            return False
    return at == end


def _frame_end(file: IO[bytes]) -> int:
    """-1 where its headers are cut."""
    magic = file.read(4)
    if int.from_bytes(magic, "little") & ~0xF == _SKIPPABLE:
        size = file.read(4)
        return file.tell() + int.from_bytes(size, "little") if len(size) == 4 else -1
    descriptor = file.read(1)
    if magic != MAGIC or not descriptor:
        return -1
    file.seek(_header_bytes(descriptor[0]), os.SEEK_CUR)
    is_last = False
    while not is_last:
        block = file.read(3)
        if len(block) < 3:
            return -1
        header = int.from_bytes(block, "little")
        is_last = bool(header & 1)
        file.seek(1 if header >> 1 & 3 == _RLE else header >> 3, os.SEEK_CUR)
    return file.tell() + 4 * (descriptor[0] >> 2 & 1)


def _header_bytes(descriptor: int) -> int:
    """Of window, dictionary and content size."""
    is_single = descriptor >> 5 & 1
    content = (is_single, 2, 4, 8)[descriptor >> 6]
    return (1 - is_single) + (0, 1, 2, 4)[descriptor & 3] + content
