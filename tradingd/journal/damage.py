"""One segment of a journal that may be damaged: how far its chain can be followed, and what else is wrong with it."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb

from tradingd.events import RunStarted, SnapshotTaken, decode_body
from tradingd.journal import database, segments, torn
from tradingd.journal.chain import ChainPoint, Fault, follow
from tradingd.journal.database import Connection
from tradingd.journal.diagnosis import Finding, Kind, Reach, Tally
from tradingd.journal.digest import CommitRow
from tradingd.journal.errors import UNREADABLE, JournalDamaged, one_line
from tradingd.journal.folder import Paths
from tradingd.journal.schema import ROW_TABLES
from tradingd.journal.segments import Manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import manifest_faults, not_canonical, surplus

READ_ERRORS = (duckdb.Error, JournalDamaged, *UNREADABLE)
FEWER = 20  # times, where a range of commits can not be read at once

Watch = Callable[[Iterable[CommitRow]], Iterable[CommitRow]]


def copy_to_read(paths: Paths, number: int, place: Paths, settings: JournalSettings) -> Iterator[Finding]:
    """A copy of a live segment in `place`, as far as its log can be read; the log alone where its file can not."""
    live = place.live(number)
    shutil.copyfile(paths.live(number), live)
    error = _refusal(live, settings)
    if paths.wal(number).exists():
        shutil.copyfile(paths.wal(number), place.wal(number))
    if error is None:
        yield from cut_log(live, place.wal(number), settings)
        return
    yield Finding(Kind.LIVE_FILE, Fault(live.name, None, "", "file", "one that can be opened", said_of(error, live)))
    live.unlink()


def cut_log(live: Path, wal: Path, settings: JournalSettings) -> Iterator[Finding]:
    """Before the first entry that DuckDB refuses."""
    size = left = _size(wal)
    while left and (error := _refusal(live, settings)) is not None:
        if not torn.cut_tail(wal, error) or _size(wal) >= left:
            wal.unlink()
            said = f"({said_of(error, live)}), and none of its {size} bytes is read"
            yield Finding(Kind.LOG_UNREADABLE, Fault(wal.name, None, "", "log", "a readable one", said))
            return
        left = _size(wal)
    if left < size:
        said = f"one that is not, {size - left} bytes before its end"
        yield Finding(Kind.LOG_TORN, Fault(wal.name, None, f"byte {left} of {size}", "log", "a whole entry", said))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refusal(path: Path, settings: JournalSettings) -> duckdb.Error | None:
    try:
        database.open_read_only(path, settings).close()
    except duckdb.Error as error:
        return error
    return None


def said_of(error: Exception, path: Path) -> str:
    """Without the folder of a copy, which is gone when a person reads it."""
    return one_line(error).replace(f"{path.parent}/", "")


# --- chain ------------------------------------------------------------------------------------------------------------


def reach(path: Path, start: ChainPoint, settings: JournalSettings, watch: Watch) -> Reach:
    """Follows the chain as far as it can be read: ever fewer commits at once where that fails, in the end one."""
    points, at_once, why = [start], database.COMMITS_AT_ONCE, ""
    while at_once:
        try:
            with closing(database.open_read_only(path, settings)) as connection:
                return _reach(connection, points, at_once, path.name, watch)
        except READ_ERRORS as error:
            at_once, why = max(at_once // FEWER, int(at_once > 1)), said_of(error, path)
    end = points[-1]
    fault = Fault(path.name, end.commit_no + 1, f"seq {end.last_seq + 1}", "file", "one that can be read", why)
    return Reach(tuple(points), fault)


def _reach(connection: Connection, points: list[ChainPoint], at_once: int, name: str, watch: Watch) -> Reach:
    """Adds to `points`, which so are kept when it can not be read any further."""
    while True:
        rows = list(_commits(connection, points[-1].commit_no, at_once))
        end, fault = follow(connection, points[-1], watch(rows), name)
        if end != points[-1]:
            points.append(end)
        if fault is not None or not rows:
            return Reach(tuple(points), fault)


def _commits(connection: Connection, after: int, at_once: int) -> Iterator[CommitRow]:
    query = f"SELECT * FROM commits WHERE commit_no BETWEEN {after + 1} AND {after + at_once} ORDER BY commit_no"
    for row in connection.execute(query).fetchall():
        if None in row:
            raise JournalDamaged(f"the row of commit {row[0]} has no value in one of its columns")
        yield CommitRow._make(row)


def start_of(path: Path, settings: JournalSettings) -> ChainPoint | Fault:
    """Where the segment says that the chain stood before it."""
    try:
        with closing(database.open_read_only(path, settings)) as connection:
            return segments.read_start(connection)
    except READ_ERRORS as error:
        return Fault(path.name, None, "", "start of the segment", "one that can be read", said_of(error, path))


def genesis_of(path: Path, settings: JournalSettings) -> tuple[str, int] | None:
    """The genesis in the table `segment`, and when the segment was made; None where that can not be read."""
    try:
        with closing(database.open_read_only(path, settings)) as connection:
            rows = connection.execute("SELECT genesis, created_ns FROM segment").fetchall()
    except READ_ERRORS:
        return None
    return (rows[0][0], rows[0][1]) if len(rows) == 1 else None


# --- what else is in it -----------------------------------------------------------------------------------------------


def beside_the_chain(path: Path, found: Reach, settings: JournalSettings) -> list[Finding]:
    """Rows that no commit of the chain has, and values that no digest can tell apart."""
    try:
        with closing(database.open_read_only(path, settings)) as connection:
            absent = [Finding(Kind.ABSENT_VALUE, fault) for fault in not_canonical(connection, path.name)]
            return [*_surplus(connection, path.name, found), *absent]
    except READ_ERRORS as error:
        fault = Fault(path.name, None, "", "file", "one that can be read to its end", said_of(error, path))
        return [Finding(Kind.UNREADABLE, fault)]


def _surplus(connection: Connection, name: str, found: Reach) -> Iterator[Finding]:
    commits, rows = found.end.commit_no - found.points[0].commit_no, segments.count_rows(connection)["commits"]
    if rows != commits:
        yield Finding(Kind.SURPLUS, Fault(name, None, "", "rows in commits", str(commits), str(rows)))
    for fault in surplus(connection, name):
        yield Finding(Kind.SURPLUS, fault)


def beside_the_manifest(
    manifest: Manifest, number: int, path: Path, found: Reach, settings: JournalSettings
) -> list[Finding]:
    """Where the chain of the segment holds and its manifest says something else."""
    with closing(database.open_read_only(path, settings)) as connection:
        rows = segments.count_rows(connection)
    faults = manifest_faults(manifest, number, path, (found.points[0], found.end), rows)
    return [Finding(Kind.MANIFEST_DIFFERS, fault) for fault in faults]


def runs_and_snapshots(
    path: Path, last_seq: int, settings: JournalSettings
) -> list[tuple[int, RunStarted | SnapshotTaken]]:
    """With their seqs; none where they can not be read."""
    query = f"SELECT seq, payload FROM facts WHERE type IN ('RunStarted', 'SnapshotTaken') AND seq <= {last_seq}"
    try:
        with closing(database.open_read_only(path, settings)) as connection:
            bodies = [(seq, decode_body(payload)) for seq, payload in connection.execute(query).fetchall()]
    except READ_ERRORS:
        return []
    return [(seq, body) for seq, body in bodies if isinstance(body, RunStarted | SnapshotTaken)]


def tally(path: Path, after: int, until: int, settings: JournalSettings) -> Tally:
    """Of the commits `after` + 1 to `until` whose rows in `commits` can be read."""
    sums = ", ".join(f"coalesce(sum({table}), 0)::BIGINT" for table in ROW_TABLES)
    query = f"SELECT count(*), min(committed_ns), max(committed_ns), {sums} FROM commits "
    try:
        with closing(database.open_read_only(path, settings)) as connection:
            where = f"WHERE commit_no > {after} AND commit_no <= {until}"
            count, from_ns, to_ns, *rows = connection.execute(query + where).fetchall()[0]
    except READ_ERRORS:
        return Tally()
    return Tally(count, tuple(rows), from_ns, to_ns)


def last_commit(path: Path, settings: JournalSettings) -> ChainPoint | None:
    """The newest row of `commits`, whether its chain holds or not."""
    query = "SELECT commit_no, last_seq, digest FROM commits ORDER BY commit_no DESC LIMIT 1"
    try:
        with closing(database.open_read_only(path, settings)) as connection:
            rows = connection.execute(query).fetchall()
    except READ_ERRORS:
        return None
    return ChainPoint(*rows[0]) if rows else None
