"""Snapshots: side files whose digest is in the chain, by the event `SnapshotTaken`."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from tradingd.events import SnapshotTaken
from tradingd.journal.digest import DIGEST_SIZE
from tradingd.journal.errors import JournalDamaged
from tradingd.journal.faults import point
from tradingd.journal.folder import Paths, write_durably


def write(paths: Paths, at_seq: int, payload: bytes) -> SnapshotTaken:
    """Durable when it returns; it counts once the returned body is an event of the journal."""
    point("snapshot.before")
    path = paths.snapshots / f"{at_seq:012d}.snap"
    write_durably(path, payload)
    point("snapshot.after")
    return SnapshotTaken(at_seq=at_seq, file=path.name, digest=digest_of(payload))


def read(paths: Paths, taken: SnapshotTaken) -> bytes:
    """Raises JournalDamaged if the file is not what the journal says; FileNotFoundError if it was removed."""
    path = path_of(paths, taken)
    payload = path.read_bytes()
    found = digest_of(payload)
    if found != taken.digest:
        raise JournalDamaged(
            f"snapshot {path} is damaged: expected digest {taken.digest}, found {found}; "
            "remove the file, an older snapshot or the start of the journal will serve"
        )
    return payload


def newest(
    paths: Paths, taken: Iterable[SnapshotTaken], at_or_before: int | None
) -> tuple[SnapshotTaken, bytes] | None:
    """Of `taken`, newest first, the first whose file is still there."""
    for snapshot in taken:
        wanted = at_or_before is None or snapshot.at_seq <= at_or_before
        if wanted and path_of(paths, snapshot).exists():
            return snapshot, read(paths, snapshot)
    return None


def digest_of(payload: bytes) -> str:
    return blake2b(payload, digest_size=DIGEST_SIZE).hexdigest()


def path_of(paths: Paths, taken: SnapshotTaken) -> Path:
    return paths.snapshots / Path(taken.file).name  # the name alone: a record never points out of the folder
