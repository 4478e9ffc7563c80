"""The journal's only writer."""

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import duckdb

from tradingd.commit import Commit
from tradingd.events import SnapshotTaken
from tradingd.journal import database, segments, snapshots
from tradingd.journal.chain import ChainPoint
from tradingd.journal.check import check
from tradingd.journal.database import Connection
from tradingd.journal.digest import CommitRow, Encoded, next_digest
from tradingd.journal.errors import JournalError, JournalFailed, one_line
from tradingd.journal.faults import point
from tradingd.journal.folder import Lock, Paths, fsync_folder
from tradingd.journal.head import Head, HeadFile
from tradingd.journal.reader import JournalReader
from tradingd.journal.recovery import Recovered, recover
from tradingd.journal.segments import Manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.tables import Tables, tables_of

DAY_NS = 86_400 * 1_000_000_000
NO_ROWS = (0, 0, 0, 0)


class Journal:
    """An open journal. `append` and `roll` belong to one thread; `seal` may run in a second one (the daemon seals in
    processes of their own: `sealer`). What is appended goes to the segment's log alone: DuckDB is never asked for a
    checkpoint of a live segment, which would write over blocks that are in use.

    After a JournalFailed the process must end without `close` (os._exit): recovery decides what was kept.
    """

    def __init__(self, paths: Paths, settings: JournalSettings, lock: Lock, recovered: Recovered) -> None:
        self.paths = paths
        self.settings = settings
        self._lock = lock
        self._identity = recovered.identity
        self._connection = database.for_inserts(recovered.connection)
        self._head_file: HeadFile = recovered.head_file
        self._rows = recovered.rows
        self._created_day = recovered.created_ns // DAY_NS
        self._log_is_named = False
        self._usable = True
        self._sealing = threading.Lock()

    @classmethod
    def open(cls, folder: Path, settings: JournalSettings | None = None) -> Self:
        """Creates the journal where the folder is missing or empty; else recovers it. Starts a new epoch.

        Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError.
        """
        settings = settings or JournalSettings()
        paths = Paths(folder)
        lock, recovered = recover(paths, settings)
        return cls(paths, settings, lock, recovered)

    @property
    def id(self) -> str:
        return self._identity.id

    @property
    def epoch(self) -> int:
        return self.head.epoch

    @property
    def last_seq(self) -> int:
        return self.head.last_seq

    @property
    def head(self) -> Head:
        """The newest durable commit."""
        return self._head_file.head

    # --- appending ----------------------------------------------------------------------------------------------------

    def append(self, commit: Commit) -> Head:
        """Durable when it returns. Raises JournalFailed, after which nothing can be appended any more."""
        with self._failing(f"commit of seq {commit.first_seq} to {commit.last_seq}"):
            if commit.first_seq != self.last_seq + 1:
                raise ValueError(f"seq {commit.first_seq} does not follow {self.last_seq}")
            check(commit)
            tables = tables_of(commit)
            row = self._commit_row(commit, tables)
            self._head_file.check_ours()  # or the log that is another's by now would be written over
            point("append.before-commit")
            database.insert(self._connection, tables, row)
            self._name_log()
            point("append.after-commit")
            head = self._advance(row)
            point("append.after-head")
            return head

    def _name_log(self) -> None:
        """DuckDB makes the log with the first commit and syncs it, but not its name."""
        if not self._log_is_named:
            fsync_folder(self.paths.segments)
            self._log_is_named = True

    def _commit_row(self, commit: Commit, tables: Tables) -> CommitRow:
        row = CommitRow(
            self.head.commit_no + 1, commit.first_seq, commit.last_seq, time.time_ns(), *tables.counts, digest=b""
        )
        pieces = Encoded(tables).part(NO_ROWS, tables.counts)
        return row._replace(digest=next_digest(self.head.digest, row, pieces))

    def _advance(self, row: CommitRow) -> Head:
        self._rows += sum(row.counts)
        return self._head_file.write(
            replace(self.head, commit_no=row.commit_no, last_seq=row.last_seq, digest=row.digest)
        )

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Any error in here ends the use of the journal."""
        if not self._usable:
            raise JournalFailed("the journal failed before; leave the process and start again")
        self._usable = False
        try:
            yield
        except (duckdb.Error, OSError, ValueError, OverflowError, struct.error, JournalError) as error:
            raise JournalFailed(f"{self.paths.folder}: {what} failed: {one_line(error)}") from error
        self._usable = True

    # --- maintenance --------------------------------------------------------------------------------------------------

    def should_roll(self) -> bool:
        """By rows, by size of the log, or because a UTC day has passed; never an empty segment."""
        return self._rows > 0 and (
            self._rows >= self.settings.roll_rows
            or self.paths.wal_bytes(self.head.segment) >= self.settings.roll_wal_mb * 1_000_000
            or (self.settings.roll_daily and time.time_ns() // DAY_NS > self._created_day)
        )

    def roll(self) -> None:
        """Ends the segment and begins the next one; `seal` then finishes the old one. Between two appends only."""
        with self._failing("rollover"):
            if self._rows == 0:
                raise ValueError("an empty segment can not be rolled over")
            point("roll.before")
            self._connection.close()
            self._begin_segment(self.head.segment + 1)
            point("roll.after-head")

    def _begin_segment(self, number: int) -> None:
        start = ChainPoint(self.head.commit_no, self.head.last_seq, self.head.digest)
        segments.create(self.paths, number, self._identity.genesis, start, self.settings)
        self._connection = database.for_inserts(database.open_writable(self.paths.live(number), self.settings))
        self._log_is_named = False
        self._rows = 0
        self._created_day = time.time_ns() // DAY_NS
        point("roll.before-head")
        self._head_file.write(replace(self.head, segment=number))

    def unsealed(self) -> list[int]:
        """Numbers of the segments that were rolled over and are still to be sealed."""
        return segments.unsealed(self.paths, self.head.segment)

    @property
    def lock_fd(self) -> int:
        """For the process that seals."""
        return self._lock.fd

    def seal(self) -> list[Manifest]:
        """Seals every segment that was rolled over: compact, verify, make read-only, write the manifest.

        Safe beside `append` from a second thread. Raises JournalError; appending goes on all the same.
        """
        with self._sealing:
            return [segments.seal(self.paths, number, self.settings) for number in self.unsealed()]

    def write_snapshot(self, at_seq: int, payload: bytes) -> SnapshotTaken:
        """Durable when it returns; append the body as an event. Raises JournalError; appending goes on all the same."""
        try:
            return snapshots.write(self.paths, at_seq, payload)
        except OSError as error:
            raise JournalError(f"snapshot at seq {at_seq} failed: {error.strerror}") from error

    # --- reading and leaving ------------------------------------------------------------------------------------------

    def reader(self) -> JournalReader:
        """Everything that is durable now, for recovery: DuckDB's live file may not be opened a second time.

        Not to be read from across a rollover.
        """
        with ExitStack() as undo:
            undo.enter_context(Lock.reading(self.paths))
            numbers = self.paths.segment_numbers()
            return JournalReader(self.paths, self._reading, numbers, lock=None, on_close=undo.pop_all())

    def _reading(self, number: int) -> Connection:
        if number == self.head.segment:
            return self._connection.cursor()
        return database.open_read_only(self.paths.segment(number), self.settings)

    def close(self) -> None:
        """Lets go. Not after a JournalFailed."""
        if not self._usable:
            raise JournalFailed("a failed journal is not closed; leave the process with os._exit")
        with self._sealing:  # another process may seal as soon as the lock is released
            self.abandon()

    def finish(self) -> list[Manifest]:
        """Closes the journal and seals every segment, the last one too; the next opening makes a new one.

        Raises JournalError; what could not be sealed is then as `close` leaves it.
        """
        numbers = [*self.unsealed(), self.head.segment]
        self._usable = False
        self._connection.close()
        try:
            return [segments.seal(self.paths, number, self.settings) for number in numbers]
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Lets go whatever happened, as a kill would; the next opening recovers."""
        self._usable = False
        self._connection.close()
        self._head_file.close()
        self._lock.release()
