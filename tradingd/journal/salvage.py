"""How far a damaged journal holds, what is wrong with it, and what of it is lost.

Nothing in the journal is written. No live segment is opened where it lies: DuckDB reads a copy, whose log may be cut.
What is found is believed as far as the digest chain goes that begins with the genesis, and no further.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tradingd.events import RunStarted, SnapshotTaken
from tradingd.journal import acknowledged, damage, segments, snapshots
from tradingd.journal.chain import ChainPoint, Fault
from tradingd.journal.diagnosis import Claim, Diagnosis, Finding, Kind, Later, Lost, Part, Reach, Tally
from tradingd.journal.digest import CommitRow, genesis
from tradingd.journal.errors import UNREADABLE, JournalDamaged, JournalForeign, JournalLocked, one_line
from tradingd.journal.folder import FORMAT, Identity, Lock, Paths, new_id, read_identity
from tradingd.journal.head import Head
from tradingd.journal.schema import ROW_TABLES
from tradingd.journal.segments import Manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.signing import is_hex32
from tradingd.journal.verify import start_fault

NUMBERED = re.compile(r"(?:(\d{6})-)?(\d{6})\.(?:live\.duckdb|duckdb|archived\.json|manifest\.json)")
KIND_OF_FAULT = {"digest": Kind.DIGEST, "next commit": Kind.COMMIT, "file": Kind.UNREADABLE}  # else rows

Say = Callable[[str], None]


def examine(folder: Path, settings: JournalSettings | None = None, say: Say = lambda line: None) -> Diagnosis:
    """As `examined`, for who needs the answer alone."""
    with examined(folder, settings, say) as diagnosis:
        return diagnosis


@contextmanager
def examined(
    folder: Path, settings: JournalSettings | None = None, say: Say = lambda line: None
) -> Iterator[Diagnosis]:
    """What can be told of a journal; it stays locked, and copies of its live segments stay there, until this ends.

    Raises JournalForeign, JournalTooNew, JournalLocked where a writer has it, JournalDamaged where not even its
    genesis can be told, OSError.
    """
    paths = Paths(folder)
    if not paths.segments.is_dir():
        read_identity(paths)
    with ExitStack() as undo:
        undo.enter_context(Lock.reading(paths))
        lock = Lock.shared(paths)
        if lock is None:
            raise JournalLocked(
                f"{folder} is in use; stop its daemon first (`tradingd stop`), or examine a backup of it"
            )
        undo.enter_context(lock)
        place = Paths(Path(undo.enter_context(TemporaryDirectory(prefix="tradingd-"))))
        place.segments.mkdir()
        yield _Examination(paths, place, settings or JournalSettings(), say).run()


class _Examination:
    def __init__(self, paths: Paths, place: Paths, settings: JournalSettings, say: Say) -> None:
        self._paths = paths
        self._place = place
        self._settings = settings
        self._say = say
        self._findings: list[Finding] = []
        self._files: dict[int, Path | None] = {}  # what is read of a segment
        self._claims: list[Claim] = []
        self._starts: list[Claim] = []  # of segments after the damage
        self._points: dict[int, ChainPoint] = {}  # of the commits that claims are about
        self._holds = True

    def run(self) -> Diagnosis:
        found, self._findings = acknowledged.read_head(self._paths)
        self._firsts = dict(self._numbers(found))
        self._files = {number: self._file(number) for number in self._firsts}
        identity = self._identity(found)
        origin = ChainPoint(0, 0, genesis(identity.genesis))
        self._told = told = Diagnosis(identity, origin, found, findings=self._findings)
        for each in acknowledged.signed_heads(self._paths, identity):
            self._claims.append(each) if isinstance(each, Claim) else self._findings.append(each)
        if found is not None:
            self._claims.append(acknowledged.claim_of(found))
        self._wanted = {claim.point.commit_no for claim in self._claims}
        self._points[0] = origin
        for number in self._firsts:
            self._segment(number) if self._holds else self._after_the_damage(number)
        self._hold_against_claims(origin)
        self._what_is_lost()
        self._beside_the_segments()
        told.findings = [self._healed(finding) for finding in self._findings]
        return told

    def _find(self, kind: Kind, fault: Fault, *, heals: bool = False) -> None:
        self._findings.append(Finding(kind, fault, heals))

    # --- HEAD and journal.json ----------------------------------------------------------------------------------------

    def _identity(self, found: Head | None) -> Identity:
        """That of journal.json, where the first segment does not prove that it is wrong."""
        proven = self._proven_genesis()
        try:
            identity = read_identity(self._paths)
        except (JournalDamaged, JournalForeign) as error:
            if proven is None:
                raise JournalDamaged(
                    f"{self._paths.identity} is missing or damaged, and no first segment is there that tells the "
                    "genesis; put journal.json back from a backup"
                ) from error
            self._find(Kind.IDENTITY, Fault("journal.json", None, "", "file", "one that can be read", "none"))
        else:
            if proven is None or proven[0] == identity.genesis:
                return identity
            self._find(Kind.IDENTITY, Fault("journal.json", None, "", "genesis", proven[0], identity.genesis))
        named = found.journal_id if found is not None else new_id()
        return Identity(FORMAT, named, *proven)

    def _proven_genesis(self) -> tuple[str, int] | None:
        """Of the first segment, where its digest is the one that comes of it."""
        path = self._files.get(1)
        told = path and damage.genesis_of(path, self._settings)
        if not path or not told:
            return None
        return told if damage.start_of(path, self._settings) == ChainPoint(0, 0, genesis(told[0])) else None

    # --- segments -----------------------------------------------------------------------------------------------------

    def _watch(self, rows: Iterable[CommitRow]) -> Iterator[CommitRow]:
        for row in rows:
            if row.commit_no in self._wanted:
                self._points.setdefault(row.commit_no, ChainPoint(row.commit_no, row.last_seq, row.digest))
            yield row

    def _numbers(self, found: Head | None) -> list[tuple[int, int]]:
        """Of every segment, in order, with that of the first one that was joined to it. Also where files are gone:
        HEAD names the one that is written.
        """
        matches = [match for path in self._paths.segments.glob("*") if (match := NUMBERED.fullmatch(path.name))]
        named = found.segment if found is not None and found.commit_no > 0 else 0
        number, numbers = max([named, *(int(match[2]) for match in matches)]), list[tuple[int, int]]()
        while number > 0:
            spans = [int(match[1]) for match in matches if match[1] and int(match[2]) == number]
            first = self._first(number, min(spans, default=number))
            numbers.insert(0, (number, first))
            number = first - 1
        return numbers

    def _first(self, number: int, named: int) -> int:
        """By its manifest; by the name of the file where that is all there is."""
        try:
            first = self._paths.first(number)
        except JournalDamaged:
            first = number
        places = (self._paths.spanning(first, number), self._paths.live(number), self._paths.archived(number))
        return first if any(place.exists() for place in places) else min(first, named)

    def _file(self, number: int) -> Path | None:
        """What is to be read of a segment: of a live one a copy. None where there is nothing."""
        sealed, live = self._sealed(number), self._paths.live(number)
        if sealed.exists() and (self._paths.manifest(number).exists() or not live.exists()):
            return sealed
        if live.exists():
            self._findings += damage.copy_to_read(self._paths, number, self._place, self._settings)
            return self._place.live(number)
        try:
            archived = self._paths.segment(number)
        except JournalDamaged:  # the note that tells where it was moved to
            return None
        return archived if archived.exists() else None

    def _sealed(self, number: int) -> Path:
        return self._paths.spanning(self._firsts[number], number)

    def _manifest(self, number: int) -> Manifest | None:
        path = self._paths.manifest(number)
        try:
            manifest = segments.read_manifest(self._paths, number)
        except JournalDamaged as error:
            self._find(
                Kind.MANIFEST_UNREADABLE, Fault(path.name, None, "", "file", "one that can be read", _why(error))
            )
            return None
        if manifest is None and self._files[number] is not None and not self._paths.live(number).exists():
            self._find(Kind.MANIFEST_MISSING, Fault(path.name, None, "", "file", "the manifest of a segment", "none"))
        return manifest

    def _is_away(self, number: int) -> bool:
        return self._paths.archived(number).exists() and not self._sealed(number).exists()

    def _segment(self, number: int) -> None:
        path, before, known = self._files[number], self._told.end, len(self._findings)
        manifest = self._manifest(number)
        if manifest is not None and self._is_away(number):
            self._archived(number, manifest)
            return
        if path is None:
            name = self._sealed(number).name
            self._find(
                Kind.SEGMENT_MISSING, Fault(name, None, f"seq {before.last_seq + 1}", "file", "a segment", "none")
            )
            self._holds = False
            return
        if not path.exists():
            self._with_new_tables(number, path, before)
        found = damage.reach(path, before, self._settings, self._watch)
        self._content(number, path, found, manifest)
        is_whole = manifest is not None and len(self._findings) == known
        self._told.parts.append(Part(number, self._firsts[number], path, found.points, is_whole))
        self._told.end = found.end
        self._points[found.end.commit_no] = found.end
        self._say(f"{path.name}: commit {found.end.commit_no}, seq {found.end.last_seq}")

    def _with_new_tables(self, number: int, path: Path, before: ChainPoint) -> None:
        """The file of a live segment has no rows; all of them are in the log, and the chain proves whether they fit."""
        segments.create(self._place, number, self._told.identity.genesis, before, self._settings)
        self._findings += damage.cut_log(path, self._place.wal(number), self._settings)

    def _content(self, number: int, path: Path, found: Reach, manifest: Manifest | None) -> None:
        before, start = found.points[0], damage.start_of(path, self._settings)
        if start != before:
            fault = start if isinstance(start, Fault) else start_fault(start, before, path.name)
            self._find(Kind.SEGMENT_START, fault)
        if start != before and found.end == before:
            self._holds = False
            self._after_the_damage(number)
            return
        if found.fault is not None:
            self._holds = False
            self._find(KIND_OF_FAULT.get(found.fault.what, Kind.ROWS), found.fault)
            return
        known = len(self._findings)
        self._findings += damage.beside_the_chain(path, found, self._settings)
        if manifest is not None and len(self._findings) == known:
            self._findings += damage.beside_the_manifest(manifest, number, path, found, self._settings)

    def _archived(self, number: int, manifest: Manifest) -> None:
        """Its manifest has to continue the chain; its rows are not looked at, which is said."""
        before, name = self._told.end, self._paths.manifest(number).name
        first = (manifest.segment, manifest.first_commit, manifest.first_seq, manifest.digest_before)
        expected = (number, before.commit_no + 1, before.last_seq + 1, before.digest.hex())
        if first != expected or not is_hex32(manifest.digest):
            fault = Fault(name, None, f"seq {before.last_seq + 1}", "start", str(expected), str(first))
            self._find(Kind.SEGMENT_START, fault)
            self._holds = False
            return
        end = ChainPoint(manifest.last_commit, manifest.last_seq, bytes.fromhex(manifest.digest))
        part = Part(number, self._firsts[number], Path(), (before, end), is_whole=True, is_away=True)
        self._told.parts.append(part)
        self._told.end = self._points[end.commit_no] = end
        self._told.notes.append(
            f"segment {number} is archived: its manifest was followed, its rows were not read (see trade verify)"
        )

    def _after_the_damage(self, number: int) -> None:
        """It can not follow what holds; what it is in itself is told."""
        path = self._files[number]
        start = None if path is None else damage.start_of(path, self._settings)
        if path is None or not isinstance(start, ChainPoint):
            return
        found = damage.reach(path, start, self._settings, iter)
        self._starts.append(Claim(f"the start of segment {number}", start))
        end = found.end
        if end == start and found.fault is None:  # nothing was written to it yet
            return
        spans = (start.commit_no + 1, end.commit_no, start.last_seq + 1, end.last_seq)
        self._told.later.append(Later(number, path.name, *spans, found.fault))

    # --- what all of it comes to --------------------------------------------------------------------------------------

    def _hold_against_claims(self, origin: ChainPoint) -> None:
        """A claim that is contradicted leaves only what an earlier one agrees with."""
        told, agreed = self._told, origin
        for claim in sorted(self._claims, key=lambda claim: claim.point.commit_no):
            point = self._points.get(claim.point.commit_no)
            if claim.point.commit_no > told.end.commit_no or point is None:  # None: within an archived segment
                continue
            if point != claim.point:
                self._findings.append(acknowledged.contradiction(claim, point))
                told.end = agreed
                break
            agreed = point
        told.signed = [claim for claim in self._claims if claim.line and claim.point.commit_no <= told.end.commit_no]

    def _what_is_lost(self) -> None:
        """By the newest that was acknowledged; without HEAD the rows of `commits` say what was there at least."""
        told, end = self._told, self._told.end
        claims = [*self._claims, *self._starts]
        if told.head is None:
            ends = [damage.last_commit(path, self._settings) for path in self._files.values() if path is not None]
            claims += [Claim("rows of commits", point) for point in ends if point is not None]
        newest = max(claims, key=lambda claim: claim.point.commit_no, default=Claim("", end))
        last_commit, last_seq, _ = newest.point
        if last_commit <= end.commit_no:
            return
        paths = [path for path in self._files.values() if path is not None]
        tallies = [damage.tally(path, end.commit_no, last_commit, self._settings) for path in paths]
        told.lost = Lost(end.commit_no + 1, last_commit, end.last_seq + 1, last_seq, newest.source, _together(tallies))
        self._find_trailing(newest)

    def _find_trailing(self, newest: Claim) -> None:
        """Where nothing else tells why commits are missing."""
        if self._holds and all(finding.kind is not Kind.CONTRADICTION for finding in self._findings):
            end = self._told.end
            said = f"commit {newest.point.commit_no}, as {newest.source} says"
            fault = Fault(
                "segments", end.commit_no + 1, f"seq {end.last_seq + 1}", "last commit", said, str(end.commit_no)
            )
            self._find(Kind.CUT_OFF, fault)

    def _beside_the_segments(self) -> None:
        """Snapshots up to the end, and the newest epoch."""
        told = self._told
        told.epoch = max((claim.epoch for claim in self._claims), default=0)
        for part in told.parts:
            if part.is_away:
                continue
            for seq, body in damage.runs_and_snapshots(part.path, told.end.last_seq, self._settings):
                if isinstance(body, RunStarted):
                    told.epoch = max(told.epoch, body.epoch)
                else:
                    self._snapshot(seq, body)

    def _snapshot(self, seq: int, taken: SnapshotTaken) -> None:
        path = snapshots.path_of(self._paths, taken)
        if not path.exists():
            self._told.notes.append(f"snapshot {taken.file} was removed")
            return
        found = snapshots.digest_of(path.read_bytes())
        if found == taken.digest:
            self._told.snapshots.append(path)
        else:
            self._find(Kind.SNAPSHOT, Fault(taken.file, None, f"seq {seq}", "digest", taken.digest, found))

    def _healed(self, finding: Finding) -> Finding:
        """A torn log of the newest segment, and a seal that was cut short, are nothing to the next start.

        No one crash tears the log and a slot of HEAD: then the slot may have known of a commit that is gone.
        """
        newest = max(self._files, default=0)
        one_head = all(each.kind is not Kind.HEAD_SLOT for each in self._findings)
        is_torn = finding.kind is Kind.LOG_TORN and finding.fault.where == self._paths.wal(newest).name and one_head
        is_unsealed = finding.kind is Kind.MANIFEST_MISSING and finding.fault.where != self._paths.manifest(newest).name
        heals = self._told.head is not None and self._told.lost is None and (is_torn or is_unsealed)
        return finding._replace(heals=finding.heals or heals)


def _why(error: Exception) -> str:
    return one_line(error.__cause__) if isinstance(error.__cause__, UNREADABLE) else one_line(error)


def _together(tallies: list[Tally]) -> Tally:
    rows = tuple(map(sum, zip(*(each.rows for each in tallies), strict=True))) if tallies else (0,) * len(ROW_TABLES)
    from_ns = [each.from_ns for each in tallies if each.from_ns is not None]
    to_ns = [each.to_ns for each in tallies if each.to_ns is not None]
    commits = sum(each.commits for each in tallies)
    return Tally(commits, rows, min(from_ns, default=None), max(to_ns, default=None))
