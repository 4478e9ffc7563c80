"""Reading a journal: the commits as they were appended, snapshots, and SQL."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import duckdb
import msgspec
import polars as pl

from tradingd.commit import Commit
from tradingd.events import Body, Event, SnapshotTaken
from tradingd.journal import database, head, segments, snapshots, sql
from tradingd.journal.ahead import ahead
from tradingd.journal.chain import KEEP, chunks
from tradingd.journal.database import Connection
from tradingd.journal.digest import CommitRow
from tradingd.journal.errors import JournalArchived, JournalDamaged, one_line
from tradingd.journal.folder import Identity, Lock, Paths, read_identity
from tradingd.journal.glimpse import glimpse
from tradingd.journal.head import Head
from tradingd.journal.segments import Manifest, read_manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.tables import Tables, commit_of, event_of

Connect = Callable[[int], Connection]  # by number of the segment


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment as `trade journal ls` shows it; `manifest` is None until it is sealed."""

    number: int
    path: Path
    file_bytes: int
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """`rows` by table; the seqs are 0 where there is no commit."""

    first_seq: int
    last_seq: int
    rows: dict[str, int]


class _Connections:
    """A sealed segment is opened when it is asked for; one that is not, once: its log is read into memory then."""

    def __init__(self, paths: Paths, settings: JournalSettings, copies: Mapping[int, Path]) -> None:
        self._paths = paths
        self._settings = settings
        self._copies = copies
        self._opened: dict[int, Connection] = {}

    def path(self, number: int) -> Path:
        return self._copies.get(number) or self._paths.segment(number)

    def of(self, number: int) -> Connection:
        """The caller's to close."""
        if number not in self._copies and self._paths.manifest(number).exists():
            return database.open_read_only(self._paths.segment(number), self._settings)
        if number not in self._opened:
            self._opened[number] = database.open_read_only(self.path(number), self._settings)
        return self._opened[number].cursor()

    def close(self) -> None:
        for connection in self._opened.values():
            connection.close()
        self._opened.clear()


class JournalReader:
    """All segments of a closed journal; of a journal that a writer holds the sealed ones, or copies of the rest too.

    Opened by `JournalReader.open`, or by `Journal.reader` in the process that writes.
    """

    def __init__(
        self, paths: Paths, connect: Connect, numbers: Sequence[int], lock: Lock | None, on_close: ExitStack
    ) -> None:
        self._paths = paths
        self._connect = connect
        self._path = paths.segment
        self._numbers = numbers
        self._lock = lock
        self._on_close = on_close
        self.identity: Identity = read_identity(paths)

    @classmethod
    def open(cls, folder: Path, settings: JournalSettings | None = None, *, with_live: bool = False) -> Self:
        """A closed journal is locked against writers until `close`.

        `with_live`: of one that another process writes, live segments are copied, so that it is read up to HEAD.

        Raises JournalForeign, JournalTooNew, JournalDamaged.
        """
        paths = Paths(folder)
        read_identity(paths)
        settings = settings or JournalSettings()
        with ExitStack() as undo:
            undo.enter_context(Lock.reading(paths))
            lock = Lock.shared(paths)
            copies: dict[int, Path] = {}
            if lock is not None:
                undo.callback(lock.release)
            elif with_live:
                place = undo.enter_context(TemporaryDirectory(prefix="tradingd-"))
                copies = glimpse(paths, Path(place), settings)
            connections = _Connections(paths, settings, copies)
            undo.callback(connections.close)
            numbers = _readable(paths, lock, copies)
            reader = cls(paths, connections.of, numbers, lock, undo.pop_all())
            reader._path = connections.path
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._on_close.close()

    @contextmanager
    def _reading(self, number: int) -> Iterator[Connection]:
        self._check_there(number)
        try:
            with closing(self._connect(number)) as connection:
                yield connection
        except duckdb.Error as error:
            raise JournalDamaged(
                f"{self._paths.segment(number)} can not be read ({one_line(error)}); {KEEP}"
            ) from error

    def _check_there(self, number: int) -> None:
        path = self._path(number)
        if self._paths.is_archived(number) and not path.exists():
            raise JournalArchived(
                f"segment {number} of {self._paths.folder} was archived to {path.parent}, which does not hold it; "
                f"make that folder reachable, or copy {path.name} back to {self._paths.segments}"
            )

    @property
    def id(self) -> str:
        return self.identity.id

    @property
    def is_live(self) -> bool:
        """Whether a writer held the journal when this was opened."""
        return self._lock is None

    @property
    def head(self) -> Head:
        return head.read(self._paths.head)

    @property
    def last_seq(self) -> int:
        """The newest readable seq; 0 where there is none."""
        for number in reversed(self._numbers):
            with self._reading(number) as connection:
                found = connection.execute("SELECT max(last_seq) FROM commits").fetchall()[0][0]
            if found is not None:
                return int(found)
        return 0

    def segments(self) -> list[SegmentInfo]:
        """Every segment in the folder, readable here or not."""
        return [
            SegmentInfo(number, path, _file_bytes(self._paths, number, path, manifest), manifest)
            for number in self._paths.segment_numbers()
            for path, manifest in [(self._paths.segment(number), read_manifest(self._paths, number))]
        ]

    def files(self) -> list[tuple[int, Path]]:
        """What is read here, by number of the segment: of one that a writer has, its copy."""
        for number in self._numbers:
            self._check_there(number)
        return [(number, self._path(number)) for number in self._numbers]

    def content(self, number: int) -> SegmentContent | None:
        """What a segment holds; None where a writer has it. Raises JournalDamaged."""
        if number not in self._numbers:
            return None
        with self._reading(number) as connection:
            rows = segments.count_rows(connection)
            first, last = connection.execute("SELECT min(first_seq), max(last_seq) FROM commits").fetchall()[0]
        return SegmentContent(first or 0, last or 0, rows)

    def commits(self, from_seq: int = 1) -> Iterator[Commit]:
        """What was appended, in order, beginning with the commit that holds `from_seq`.

        Neighbouring batches of one source come joined. Raises JournalDamaged.
        """
        for number in self._numbers:
            with self._reading(number) as connection, closing(ahead(_read_chunks(connection, from_seq))) as read:
                for rows, tables in read:
                    yield from self._commits_of(number, rows, tables)

    def _commits_of(self, number: int, rows: list[CommitRow], tables: Tables) -> Iterator[Commit]:
        starts = tables.offsets([row.first_seq for row in rows]).tolist()
        stops = tables.offsets([row.last_seq + 1 for row in rows]).tolist()
        for row, start, stop in zip(rows, starts, stops, strict=True):
            try:
                yield commit_of(tables.part(start, stop), row.first_seq, row.last_seq)
            except msgspec.MsgspecError as error:
                raise self._unknown(number, f"seq {row.first_seq} to {row.last_seq}", error) from error

    def _unknown(self, number: int, position: str, error: msgspec.MsgspecError) -> JournalDamaged:
        return JournalDamaged(
            f"{self._paths.segment(number)}, {position}: an event that this version can not read ({error}); "
            "run `trade verify`, or read it with the version that wrote it"
        )

    def newest_snapshot(self, at_or_before: int | None = None) -> tuple[SnapshotTaken, bytes] | None:
        """The newest snapshot (of the state at or before a seq) whose file exists. Raises JournalDamaged."""
        return snapshots.newest(self._paths, self._snapshots(), at_or_before)

    def _snapshots(self) -> Iterator[SnapshotTaken]:
        return (event.body for event in self.events(SnapshotTaken) if isinstance(event.body, SnapshotTaken))

    def events(self, kind: type[Body]) -> Iterator[Event]:
        """Events of one type, newest first."""
        query = "SELECT * FROM facts WHERE type = ? ORDER BY seq DESC, n DESC"
        for number in reversed(self._numbers):
            with self._reading(number) as connection:
                rows = connection.execute(query, [kind.__name__]).fetchall()
            for row in rows:
                try:
                    yield event_of(row)
                except msgspec.MsgspecError as error:
                    raise self._unknown(number, f"seq {row[0]}", error) from error

    def sql(self, query: str, limits: sql.SqlLimits | None = None) -> pl.DataFrame:
        """Answers a query over all readable segments; see `sql.run`. Raises SqlError."""
        return sql.run([path for _, path in self.files()], query, limits or sql.SqlLimits())


def _readable(paths: Paths, lock: Lock | None, copies: Mapping[int, Path]) -> list[int]:
    """All segments of a closed journal; of one in use what is sealed, up to the copies of what was not."""
    numbers = paths.segment_numbers()
    if lock is not None:
        return numbers
    sealed = [
        number for number in numbers if paths.manifest(number).exists() and number < min(copies, default=number + 1)
    ]
    return sealed + sorted(copies)


def _file_bytes(paths: Paths, number: int, path: Path, manifest: Manifest | None) -> int:
    """With its log, where it is not sealed; of an archived one as its manifest says."""
    return manifest.file_bytes if manifest is not None else path.stat().st_size + paths.wal_bytes(number)


def _read_chunks(connection: Connection, from_seq: int) -> Iterator[tuple[list[CommitRow], Tables]]:
    for rows in chunks(database.read_commits(connection, from_seq)):
        yield rows, database.read_tables(connection, rows[0].first_seq, rows[-1].last_seq)
