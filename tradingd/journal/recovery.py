"""Opening a journal for append is always recovery: nothing acknowledged may be missing, and HEAD catches up."""

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import duckdb

from tradingd.journal import compact, database, head, segments, torn
from tradingd.journal.chain import KEEP, ChainPoint, check_chain
from tradingd.journal.copying import sync_file
from tradingd.journal.database import Connection
from tradingd.journal.digest import genesis
from tradingd.journal.errors import JournalDamaged, JournalError, JournalLocked, one_line
from tradingd.journal.faults import point
from tradingd.journal.folder import (
    Identity,
    Lock,
    Paths,
    create_identity,
    explain,
    fsync_folder,
    is_blank,
    make_folder,
    read_identity,
    remove_unfinished,
    renamed,
    write_durably,
)
from tradingd.journal.head import Head, HeadFile
from tradingd.journal.schema import ROW_TABLES
from tradingd.journal.settings import JournalSettings

NOT_OURS = "Could not set lock on file"  # DuckDB's, where somebody has removed LOCK from under its holder


class Recovered(NamedTuple):
    """What an open journal starts from."""

    identity: Identity
    connection: Connection
    head_file: HeadFile
    rows: int
    created_ns: int


def recover(paths: Paths, settings: JournalSettings) -> tuple[Lock, Recovered]:
    """Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError."""
    try:
        if not is_blank(paths.folder):
            read_identity(paths)
        make_folder(paths.folder)
        with ExitStack() as undo:
            lock = Lock.exclusive(paths)
            undo.callback(lock.release)
            with Lock.reading(paths):
                recovered = _recover_locked(paths, settings, lock)
            undo.pop_all()
            return lock, recovered
    except OSError as error:
        raise explain(error, paths) from error
    except duckdb.Error as error:
        raise JournalError(f"{paths.folder} can not be opened: {one_line(error)}; see what its disk says") from error


def _recover_locked(paths: Paths, settings: JournalSettings, lock: Lock) -> Recovered:
    identity = _identity(paths, lock)
    for folder in (paths.folder, paths.segments, paths.snapshots):
        folder.mkdir(exist_ok=True)
        remove_unfinished(folder)
    for folder in (paths.folder.parent, paths.folder, paths.segments, paths.snapshots):
        fsync_folder(folder)  # names, too, may be in memory only
    found = _head(paths, identity)
    compact.tidy_unless_busy(paths)
    for sealed in filter(lambda number: paths.manifest(number).exists(), paths.segment_numbers()):
        segments.remove_live(paths, sealed)
    number = _active_segment(paths, found, identity, settings)
    with ExitStack() as undo:
        connection = _connect(paths, number, settings, undo)
        try:
            recovered = _caught_up(paths, identity, found, number, connection)
        except duckdb.Error as error:
            raise JournalDamaged(f"{paths.live(number)} can not be read ({one_line(error)}); {KEEP}") from error
        undo.pop_all()
        return recovered


def _identity(paths: Paths, lock: Lock) -> Identity:
    """Creates it in a blank folder; gives a copied journal a new id."""
    if not paths.identity.exists():
        identity = create_identity(paths)
    else:
        identity = read_identity(paths)
        if not lock.is_home(paths):
            identity = renamed(paths, identity)
    point("recovery.after-identity")
    lock.sign(paths)
    return identity


def _head(paths: Paths, identity: Identity) -> Head:
    """Makes that of a new journal. Raises JournalDamaged if it is missing beside segments, which are made after it."""
    if paths.head.exists():
        return head.read(paths.head)
    if paths.segment_numbers():
        raise JournalDamaged(f"{paths.head} is missing; {KEEP}")
    empty = Head(identity.id, epoch=0, segment=1, commit_no=0, last_seq=0, digest=genesis(identity.genesis))
    write_durably(paths.head, head.whole_content(empty))
    point("recovery.after-new-head")
    return head.read(paths.head)


def _active_segment(paths: Paths, found: Head, identity: Identity, settings: JournalSettings) -> int:
    """The segment to append to, made if a rollover or the creation was cut short before it."""
    numbers = paths.segment_numbers()
    number = max(numbers, default=0)
    if number < found.segment and found.commit_no > 0:
        raise JournalDamaged(f"{paths.live(found.segment)} is missing; {KEEP}")
    if number == 0 or paths.manifest(number).exists():
        number += 1
        start = ChainPoint(found.commit_no, found.last_seq, found.digest)
        segments.create(paths, number, identity.genesis, start, settings)
    if not paths.live(number).exists():  # DuckDB would make an empty one
        raise JournalDamaged(f"{paths.live(number)} is missing; {KEEP}")
    return number


def _connect(paths: Paths, number: int, settings: JournalSettings, undo: ExitStack) -> Connection:
    """Opens the segment; `undo` closes it again and puts back what a torn tail of the log had to give way for."""
    path = paths.live(number)
    try:
        try:
            connection = _open_synced(path, paths.wal(number), settings)
        except duckdb.Error as error:
            if not torn.cut_tail(paths.wal(number), error):
                raise
            undo.callback(torn.put_back, paths.wal(number))
            connection = _open_synced(path, paths.wal(number), settings)
    except duckdb.Error as error:
        if NOT_OURS in str(error):
            raise JournalLocked(f"{path} is in use although LOCK is free ({one_line(error)}); stop it first") from error
        raise JournalDamaged(f"{path} can not be opened ({one_line(error)}); {KEEP}") from error
    undo.enter_context(closing(connection))
    return connection


def _open_synced(path: Path, wal: Path, settings: JournalSettings) -> Connection:
    """What a killed writer had not synced yet is acknowledged by this start, so it is synced before it is read."""
    if wal.exists():
        sync_file(wal)
    return database.open_writable(path, settings)


def _caught_up(paths: Paths, identity: Identity, found: Head, number: int, connection: Connection) -> Recovered:
    start = segments.read_start(connection)
    end = _verified_end(paths, found, number, start, connection)
    rows = _check_counts(paths.segment(number), connection)
    point("recovery.before-head")
    caught_up = replace(
        found,
        journal_id=identity.id,
        epoch=found.epoch + 1,
        segment=number,
        commit_no=end.commit_no,
        last_seq=end.last_seq,
        digest=end.digest,
    )
    head_file = HeadFile(paths.head, caught_up)
    point("recovery.after-head")
    return Recovered(identity, connection, head_file, rows, segments.created_ns(connection))


def _verified_end(paths: Paths, found: Head, number: int, start: ChainPoint, connection: Connection) -> ChainPoint:
    """The last commit in the database, after the chain from HEAD up to it was recomputed. Raises JournalDamaged."""
    acknowledged = ChainPoint(found.commit_no, found.last_seq, found.digest)
    where = str(paths.segment(number))
    stored = start if found.commit_no == start.commit_no else _stored_point(connection, found.commit_no)
    if stored is None:
        raise JournalDamaged(
            f"{where} trails HEAD: commit {found.commit_no} up to seq {found.last_seq} was acknowledged, "
            f"the segment ends at {_describe(_last_point(connection) or start)}; {KEEP}"
        )
    if stored != acknowledged:
        raise JournalDamaged(
            f"{where} differs from HEAD at commit {found.commit_no}: expected seq {found.last_seq} and digest "
            f"{found.digest.hex()}, found seq {stored.last_seq} and digest {stored.digest.hex()}; {KEEP}"
        )
    return check_chain(connection, acknowledged, where)


def _stored_point(connection: Connection, commit_no: int) -> ChainPoint | None:
    query = "SELECT commit_no, last_seq, digest FROM commits WHERE commit_no = ?"
    return _point(connection.execute(query, [commit_no]).fetchall())


def _last_point(connection: Connection) -> ChainPoint | None:
    query = "SELECT commit_no, last_seq, digest FROM commits ORDER BY commit_no DESC LIMIT 1"
    return _point(connection.execute(query).fetchall())


def _point(rows: list[tuple[int, int, bytes]]) -> ChainPoint | None:
    return ChainPoint(*rows[0]) if rows else None


def _describe(end: ChainPoint) -> str:
    return f"commit {end.commit_no}, seq {end.last_seq}"


def _check_counts(path: Path, connection: Connection) -> int:
    """Rows of the segment. Raises JournalDamaged if they are not as many as its commits say."""
    found = segments.count_rows(connection)
    expected = segments.committed_rows(connection)
    for table in ROW_TABLES:
        if found[table] != expected[table]:
            raise JournalDamaged(
                f"{path} is damaged: its commits have {expected[table]} rows in {table}, the table has "
                f"{found[table]}; {KEEP}"
            )
    return sum(expected.values())
