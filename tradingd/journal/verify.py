"""Verifies a journal from genesis: every digest, HEAD, signed heads, manifests of sealed segments and snapshots."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from tradingd.events import SnapshotTaken, decode_body
from tradingd.journal import database, head, segments, snapshots
from tradingd.journal.chain import ChainPoint, Fault, follow
from tradingd.journal.database import Connection
from tradingd.journal.digest import genesis
from tradingd.journal.errors import UNREADABLE, JournalDamaged, one_line
from tradingd.journal.folder import Identity, Lock, Paths, read_identity
from tradingd.journal.schema import ROW_TABLES
from tradingd.journal.segments import Manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.signing import is_hex32
from tradingd.journal.tables import BAR_FLOATS, TICK_FLOATS
from tradingd.journal.witness import Evidence, Witness

# What must be NULL in the database; the digest can not tell it from NULL.
NOT_CANONICAL = {
    "ticks": " OR ".join([*(f"isnan({name})" for name in TICK_FLOATS), "venue_id = -1"]),
    "bars": " OR ".join(f"isnan({name})" for name in BAR_FLOATS),
}

Say = Callable[[str], None]


@dataclass(slots=True)
class VerifyReport:
    """`fault` is the first one, and None where everything is as it was committed; `end` is the last verified commit."""

    journal_id: str
    end: ChainPoint
    segments: int = 0
    rows: int = 0
    heads: int = 0  # signed ones, in heads.jsonl
    anchored: int = 0  # signed ones that were kept elsewhere
    public_keys: list[str] = field(default_factory=list)  # that signed them
    fault: Fault | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.fault is None


def verify(
    folder: Path,
    settings: JournalSettings | None = None,
    say: Say = lambda line: None,
    evidence: Evidence | None = None,
    archive: Path | None = None,
) -> VerifyReport:
    """`say` hears a line per segment. Of a journal that is in use only the sealed segments are looked at, of segments
    that were archived only the manifests, unless `archive` is the folder that holds them.

    Raises JournalForeign, JournalTooNew, JournalDamaged where journal.json itself can not be read, OSError where
    evidence can not, JournalLocked where a journal in use can not tell.
    """
    paths = Paths(folder)
    identity = read_identity(paths)
    reading, lock = Lock.reading(paths), Lock.shared(paths)
    try:
        evidence = evidence or Evidence()
        run = _Verification(paths, identity, settings or JournalSettings(), lock is None, say, evidence, archive)
        return run.run()
    finally:
        reading.release()
        if lock is not None:
            lock.release()


class _Verification:
    def __init__(
        self,
        paths: Paths,
        identity: Identity,
        settings: JournalSettings,
        live: bool,
        say: Say,
        evidence: Evidence,
        archive: Path | None,
    ) -> None:
        self._paths = paths
        self._archive = archive
        self._identity = identity
        self._settings = settings
        self._live = live
        self._say = say
        self._digest_at_head: bytes | None = None
        self._head: head.Head | None = None
        self._genesis = genesis(identity.genesis)
        self._where = "segments"  # where the chain was followed last
        self.report = VerifyReport(identity.id, ChainPoint(0, 0, self._genesis))
        self._witness = Witness(paths, identity, evidence, self.report.notes)

    def run(self) -> VerifyReport:
        report, witness = self.report, self._witness
        report.fault = next(self._faults(), None)
        report.heads, report.anchored = len(witness.own), len(witness.anchored)
        report.public_keys = witness.public_keys
        return report

    def _faults(self) -> Iterator[Fault]:
        """All checks in order; only the first fault is asked for."""
        yield from self._head_slots()
        yield from self._witness.faults_of_lines()
        try:
            numbers = self._numbers()
        except JournalDamaged as error:
            yield Fault("segments", None, "", "files", "all segments in a row", str(error))
            return
        for number in numbers:
            is_away = self._paths.is_archived(number) and self._archive is None
            yield from self._archived(number) if is_away else self._segment(number)
        if not self._live:
            yield from self._head_agrees()
        yield from self._witness.faults_at_the_end(self.report.end, self._genesis, self._where, live=self._live)

    def _numbers(self) -> list[int]:
        numbers = self._paths.segment_numbers()
        sealed = [number for number in numbers if self._paths.manifest(number).exists()]
        if self._live:
            self.report.notes.append(f"the journal is in use: {len(sealed)} sealed segments of {len(numbers)} verified")
            return sealed
        unsealed = [number for number in numbers[:-1] if number not in sealed]
        self.report.notes += [f"segment {number} is not sealed yet" for number in unsealed]
        return numbers

    # --- HEAD ---------------------------------------------------------------------------------------------------------

    def _head_slots(self) -> Iterator[Fault]:
        if not self._paths.head.exists():
            yield Fault("HEAD", None, "", "file", f"{head.FILE_SIZE} bytes", "none")
            return
        size = self._paths.head.stat().st_size
        if size != head.FILE_SIZE:
            yield Fault("HEAD", None, "", "size", f"{head.FILE_SIZE} bytes", f"{size} bytes")
            return
        slots = head.read_slots(self._paths.head)
        for offset, slot in zip(head.SLOT_OFFSETS, slots, strict=True):
            if slot is None and not self._live:
                yield Fault("HEAD", None, f"slot at byte {offset}", "checksum", "one that fits", "another")
        self._head = max(filter(None, slots), key=lambda found: found.generation, default=None)

    def _head_agrees(self) -> Iterator[Fault]:
        if self._head is None:
            return
        end, found = self.report.end, self._head
        if found.commit_no > end.commit_no:
            yield Fault(
                "HEAD",
                found.commit_no,
                f"seq {end.last_seq + 1} to {found.last_seq}",
                "acknowledged commits",
                f"commit {found.commit_no}",
                f"the last is commit {end.commit_no}",
            )
        elif self._digest_at_head is not None and self._digest_at_head != found.digest:
            yield Fault("HEAD", found.commit_no, "", "digest", found.digest.hex(), self._digest_at_head.hex())
        elif found.commit_no < end.commit_no:
            self.report.notes.append(f"{end.commit_no - found.commit_no} commits after HEAD, kept at the next start")

    # --- segments -----------------------------------------------------------------------------------------------------

    def _archived(self, number: int) -> Iterator[Fault]:
        """Its manifest has to continue the chain; what is in it was not looked at, which is said."""
        report, before, path = self.report, self.report.end, self._paths.segment(number)
        self._where = self._paths.manifest(number).name
        manifest = segments.read_manifest(self._paths, number)
        if manifest is None:
            yield Fault(self._where, None, "", "file", "the manifest of an archived segment", "none")
            return
        first = (manifest.segment, manifest.first_commit, manifest.first_seq, manifest.digest_before)
        expected = (number, before.commit_no + 1, before.last_seq + 1, before.digest.hex())
        if first != expected:
            yield Fault(self._where, None, f"seq {before.last_seq + 1}", "start", str(expected), str(first))
        if not is_hex32(manifest.digest):
            yield Fault(self._where, None, "", "digest", "64 hex digits", manifest.digest)
        report.end = ChainPoint(manifest.last_commit, manifest.last_seq, bytes.fromhex(manifest.digest))
        yield from self._witness.faults_at(report.end, self._where)
        report.rows += sum(manifest.rows[table] for table in ROW_TABLES)
        report.segments += 1
        report.notes.append(f"segment {number} is archived in {path.parent}: not read without --archive")
        self._say(f"{self._where}: commit {report.end.commit_no}, seq {report.end.last_seq}")

    def _file(self, number: int) -> Path:
        path = self._paths.segment(number)
        is_away = self._paths.is_archived(number) and self._archive is not None
        return self._archive / path.name if is_away and self._archive is not None else path

    def _segment(self, number: int) -> Iterator[Fault]:
        path = self._file(number)
        try:
            with closing(database.open_read_only(path, self._settings)) as connection:
                yield from self._content(connection, number, path.name)
        except (duckdb.Error, JournalDamaged, *UNREADABLE) as error:
            yield Fault(path.name, None, "", "file", "a readable segment", one_line(error))
        self.report.segments += 1
        self._say(f"{path.name}: commit {self.report.end.commit_no}, seq {self.report.end.last_seq}")

    def _content(self, connection: Connection, number: int, name: str) -> Iterator[Fault]:
        with closing(connection.cursor()) as cursor, ThreadPoolExecutor(1) as beside:  # which ends before it is closed
            absent = beside.submit(not_canonical, cursor, name)
            yield from self._chain(connection, number, name, absent)

    def _chain(self, connection: Connection, number: int, name: str, absent: "Future[list[Fault]]") -> Iterator[Fault]:
        before = self.report.end
        if (start := segments.read_start(connection)) != before:
            yield start_fault(start, before, name)
        self._where = name
        commits = self._witness.watched(database.read_commits(connection))
        self.report.end, fault = follow(connection, before, commits, name)
        yield from self._witness.faults_up_to(self.report.end, connection, name)
        if fault is not None:
            yield fault
        yield from surplus(connection, name)
        yield from absent.result()
        yield from self._snapshots(connection)
        self._note_head(connection, before)
        rows = segments.count_rows(connection)
        if rows["commits"] != (expected := self.report.end.commit_no - before.commit_no):
            yield Fault(name, None, "", "rows in commits", str(expected), str(rows["commits"]))
        self.report.rows += sum(rows[table] for table in ROW_TABLES)
        manifest = segments.read_manifest(self._paths, number)
        if manifest is not None:
            yield from manifest_faults(manifest, number, self._file(number), (before, self.report.end), rows)

    def _note_head(self, connection: Connection, before: ChainPoint) -> None:
        if self._head is None:
            return
        if self._head.commit_no == before.commit_no:
            self._digest_at_head = before.digest
        query = "SELECT digest FROM commits WHERE commit_no = ?"
        for (digest,) in connection.execute(query, [self._head.commit_no]).fetchall():
            self._digest_at_head = digest

    def _snapshots(self, connection: Connection) -> Iterator[Fault]:
        query = "SELECT seq, payload FROM facts WHERE type = 'SnapshotTaken' ORDER BY seq"
        for seq, payload in connection.execute(query).fetchall():
            taken = decode_body(payload)
            if isinstance(taken, SnapshotTaken):
                yield from self._snapshot(seq, taken)

    def _snapshot(self, seq: int, taken: SnapshotTaken) -> Iterator[Fault]:
        try:
            found = snapshots.digest_of(snapshots.path_of(self._paths, taken).read_bytes())
        except FileNotFoundError:
            self.report.notes.append(f"snapshot {taken.file} was removed")
            return
        if found != taken.digest:
            yield Fault(taken.file, None, f"seq {seq}", "digest", taken.digest, found)


def start_fault(start: ChainPoint, before: ChainPoint, name: str) -> Fault:
    """Of a segment that begins elsewhere than where the chain stands."""
    expected = f"after commit {before.commit_no}, digest {before.digest.hex()}"
    found = f"after commit {start.commit_no}, digest {start.digest.hex()}"
    return Fault(name, None, f"seq {before.last_seq + 1}", "start of the segment", expected, found)


def surplus(connection: Connection, name: str) -> Iterator[Fault]:
    """Where the tables have not as many rows as all commits together say."""
    expected, found = segments.committed_rows(connection), segments.count_rows(connection)
    for table in ROW_TABLES:
        if found[table] != expected[table]:
            yield Fault(name, None, "", f"rows in {table}", str(expected[table]), str(found[table]))


def not_canonical(connection: Connection, name: str) -> list[Fault]:
    """Values that no digest can tell from an absent one."""
    faults = []
    for table, condition in NOT_CANONICAL.items():
        found = connection.execute(f"SELECT min(seq) FROM {table} WHERE {condition}").fetchall()[0][0]
        if found is not None:
            faults.append(Fault(name, None, f"seq {found}", f"an absent value in {table}", "NULL", "NaN or -1"))
    return faults


def manifest_faults(
    manifest: Manifest, number: int, path: Path, span: tuple[ChainPoint, ChainPoint], rows: dict[str, int]
) -> Iterator[Fault]:
    """Where the manifest of a segment says something else than its file, whose chain holds from and to `span`."""
    before, end = span
    found = {
        "segment": number,
        "first_commit": before.commit_no + 1,
        "last_commit": end.commit_no,
        "first_seq": before.last_seq + 1,
        "last_seq": end.last_seq,
        "rows": rows,
        "digest_before": before.digest.hex(),
        "digest": end.digest.hex(),
        "file_bytes": path.stat().st_size,
        "sha256": segments.sha256(path),
    }
    for name, value in found.items():
        expected = getattr(manifest, name)
        if value != expected:
            yield Fault(f"{number:06d}.manifest.json", None, "", name, str(expected), str(value))
