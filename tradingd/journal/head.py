"""HEAD: what was last acknowledged, in a file outside the database. The database may lead it, never trail it.

Two slots are written in turn, each with its own checksum, so that a torn write leaves the one before.
"""

import os
import struct
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from tradingd.journal.errors import JournalDamaged, JournalFailed

MAGIC = b"TRDHEAD1"
BODY = struct.Struct("<8s16sQQIQQ32s")
CHECKSUM_SIZE = 16
SLOT_SIZE = BODY.size + CHECKSUM_SIZE
SLOT_OFFSETS = (0, 4096)
FILE_SIZE = 8192


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit; commit_no and last_seq are 0 in an empty journal. `epoch` counts openings for append."""

    journal_id: str
    epoch: int
    segment: int
    commit_no: int
    last_seq: int
    digest: bytes
    generation: int = 0  # counts writes of HEAD


def encode(head: Head) -> bytes:
    body = BODY.pack(
        MAGIC,
        head.journal_id.encode(),
        head.generation,
        head.epoch,
        head.segment,
        head.commit_no,
        head.last_seq,
        head.digest,
    )
    return body + _checksum(body)


def decode(slot: bytes) -> Head | None:
    """None where magic or checksum do not fit."""
    body = slot[: BODY.size]
    if len(slot) != SLOT_SIZE or not body.startswith(MAGIC) or slot[BODY.size :] != _checksum(body):
        return None
    _, journal_id, generation, epoch, segment, commit_no, last_seq, digest = BODY.unpack(body)
    return Head(journal_id.rstrip(b"\0").decode(), epoch, segment, commit_no, last_seq, digest, generation)


def read_slots(path: Path) -> tuple[Head | None, Head | None]:
    data = path.read_bytes()
    first, second = (decode(data[offset : offset + SLOT_SIZE]) for offset in SLOT_OFFSETS)
    return (first, second) if len(data) == FILE_SIZE else (None, None)


def read(path: Path) -> Head:
    """The newest slot that checks. Raises JournalDamaged where none does."""
    slots = [slot for slot in read_slots(path) if slot is not None]
    if not slots:
        raise JournalDamaged(f"{path} is damaged: neither slot checks; restore it, or run `trade verify`")
    return max(slots, key=lambda head: head.generation)


def whole_content(head: Head) -> bytes:
    """The file of a new journal or of a copy: `head` in both slots."""
    content = bytearray(FILE_SIZE)
    for generation in (head.generation, head.generation + 1):
        offset = SLOT_OFFSETS[generation % 2]
        content[offset : offset + SLOT_SIZE] = encode(replace(head, generation=generation))
    return bytes(content)


class HeadFile:
    """The writer's HEAD. `write` is durable when it returns."""

    def __init__(self, path: Path, head: Head) -> None:
        """Takes HEAD over: both slots then hold `head`, so that a fenced writer notices at its next commit."""
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._slots: list[bytes] = [b"", b""]
        self.head = head
        os.fdatasync(self._fd)  # a killed writer may have left the newest slot in memory only
        self._write_next(head)
        self._write_next(head)

    def write(self, head: Head) -> Head:
        """Raises JournalFailed if another process took the journal over, OSError if the disk fails."""
        self.check_ours()
        return self._write_next(head)

    def check_ours(self) -> None:
        """Raises JournalFailed if another process took the journal over."""
        slot = (self.head.generation + 1) % 2
        if os.pread(self._fd, SLOT_SIZE, SLOT_OFFSETS[slot]) != self._slots[slot]:
            raise JournalFailed("HEAD was written by another process: this one lost the journal and must exit")

    def _write_next(self, head: Head) -> Head:
        head = replace(head, generation=self.head.generation + 1)
        slot = head.generation % 2
        self._slots[slot] = encode(head)
        os.pwrite(self._fd, self._slots[slot], SLOT_OFFSETS[slot])
        os.fdatasync(self._fd)
        self.head = head
        return head

    def close(self) -> None:
        os.close(self._fd)


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=CHECKSUM_SIZE).digest()
