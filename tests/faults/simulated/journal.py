"""A journal on the disk in memory: what the writer and the reader of the real one promise, with its encodings."""

from collections.abc import Iterator
from dataclasses import replace

from simulated.disk import Disk
from simulated.stored import entries, framed, rows_of, size_of, tables_from

from tradingd.commit import Commit
from tradingd.events import Body, Event, SnapshotTaken
from tradingd.journal import head
from tradingd.journal.check import check
from tradingd.journal.digest import CommitRow, genesis, next_digest
from tradingd.journal.errors import JournalDamaged, JournalError, JournalFailed
from tradingd.journal.head import SLOT_OFFSETS, SLOT_SIZE, Head
from tradingd.journal.snapshots import digest_of
from tradingd.journal.tables import commit_of, event_of, tables_of

ID = "SIMULATE"
COMMIT_NS = 1_000_000_000


class Journal:
    """Opening is recovery. Raises JournalDamaged where something acknowledged is missing."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        found = _head(disk)
        self._size, end = _verified(disk, found)
        self._head = replace(end, epoch=found.epoch + 1, generation=found.generation)
        for _ in SLOT_OFFSETS:
            self._write_head(self._head)

    @property
    def id(self) -> str:
        return ID

    @property
    def head(self) -> Head:
        return self._head

    def append(self, commit: Commit) -> Head:
        """Durable when it returns. Raises JournalFailed, after which the process has to end."""
        check(commit)
        tables = tables_of(commit)
        rows = rows_of(tables)
        row = self._row(commit, tables.counts, rows)
        try:
            return self._append(row, framed(row, rows))
        except OSError as error:
            raise JournalFailed(str(error)) from error

    def _row(self, commit: Commit, counts: tuple[int, int, int, int], rows: bytes) -> CommitRow:
        number = self._head.commit_no + 1
        row = CommitRow(number, commit.first_seq, commit.last_seq, number * COMMIT_NS, *counts, digest=b"")
        assert row.first_seq == self._head.last_seq + 1, "commits are contiguous"
        return row._replace(digest=next_digest(self._head.digest, row, [rows]))

    def _append(self, row: CommitRow, data: bytes) -> Head:
        self._disk.log.write(self._size, data)
        self._disk.log.sync()
        self._size += len(data)
        self._write_head(replace(self._head, commit_no=row.commit_no, last_seq=row.last_seq, digest=row.digest))
        return self._head

    def _write_head(self, new: Head) -> None:
        new = replace(new, generation=self._head.generation + 1)
        self._disk.head.write(SLOT_OFFSETS[new.generation % 2], head.encode(new))
        self._disk.head.sync()
        self._head = new

    def write_snapshot(self, at_seq: int, payload: bytes) -> SnapshotTaken:
        """Raises JournalError; appending goes on all the same."""
        name = f"{at_seq:012d}.snap"
        try:
            self._disk.keep(name, payload)
        except OSError as error:
            raise JournalError(str(error)) from error
        return SnapshotTaken(at_seq=at_seq, file=name, digest=digest_of(payload))

    def reader(self) -> "Reader":
        return Reader(self._disk)


def _head(disk: Disk) -> Head:
    """That of a new journal where there is none yet. What a killed process wrote is made durable before the other slot
    is written: a power cut must not find both half written."""
    disk.head.sync()
    content = disk.head.read()
    slots = [head.decode(content[offset : offset + SLOT_SIZE]) for offset in SLOT_OFFSETS]
    whole = [slot for slot in slots if slot is not None]
    if whole:
        return max(whole, key=lambda slot: slot.generation)
    if disk.log.content:
        raise JournalDamaged("neither slot of HEAD checks")
    return Head(ID, epoch=0, segment=1, commit_no=0, last_seq=0, digest=genesis(ID))


def _verified(disk: Disk, found: Head) -> tuple[int, Head]:
    """Where the log ends, and its head, after the chain was recomputed; a torn tail is cut off."""
    content = disk.log.read()
    size = size_of(entries(content))
    end = replace(found, commit_no=0, last_seq=0, digest=genesis(ID))
    acknowledged = found.commit_no == 0
    for row, rows in entries(content):
        if next_digest(end.digest, row, [rows]) != row.digest or row.first_seq != end.last_seq + 1:
            raise JournalDamaged(f"commit {row.commit_no} does not follow")
        end = replace(end, commit_no=row.commit_no, last_seq=row.last_seq, digest=row.digest)
        acknowledged |= (end.commit_no, end.digest) == (found.commit_no, found.digest)
    if not acknowledged:
        raise JournalDamaged(f"commit {found.commit_no} was acknowledged and is missing")
    disk.log.truncate(size)
    return size, end


class Reader:
    """As `JournalReader`, of what is there now."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._read = [(row, tables_from(row, rows)) for row, rows in entries(disk.log.content)]

    @property
    def last_seq(self) -> int:
        return self._read[-1][0].last_seq if self._read else 0

    def digests(self) -> dict[int, bytes]:
        """By number of the commit."""
        return {row.commit_no: row.digest for row, _ in self._read}

    def commits(self, from_seq: int = 1) -> Iterator[Commit]:
        """A process may die over them."""
        for commit in self.recorded(from_seq):
            self._disk.faults.point()
            yield commit

    def recorded(self, from_seq: int = 1) -> Iterator[Commit]:
        """The same for who looks on."""
        for row, tables in self._read:
            if row.last_seq >= from_seq:
                yield commit_of(tables, row.first_seq, row.last_seq)

    def events(self, kind: type[Body]) -> Iterator[Event]:
        """Newest first."""
        facts = [fact for _, tables in self._read for fact in tables.facts.rows() if fact[5] == kind.__name__]
        return map(event_of, reversed(facts))

    def newest_snapshot(self) -> tuple[SnapshotTaken, bytes] | None:
        for event in self.events(SnapshotTaken):
            assert isinstance(event.body, SnapshotTaken)
            payload = self._disk.snapshots.get(event.body.file)
            if payload is not None:
                assert digest_of(payload) == event.body.digest, "a snapshot is not what the journal says"
                return event.body, payload
        return None
