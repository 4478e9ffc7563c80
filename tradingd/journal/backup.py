"""A journal copied elsewhere as files: consistent while a daemon writes it, verified, and only ever extended.

Nothing but the copy is opened by DuckDB. The database of a live segment never changes after its creation and its log
only grows, so what was acknowledged when HEAD was read stands in the bytes that the log has later. HEAD and then
journal.json come last: what was cut short is no journal that a daemon would go on with.
"""

import filecmp
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tradingd.journal import compact, database, head, heads, segments, torn
from tradingd.journal.copying import copy_file, is_beginning, unfinished
from tradingd.journal.errors import JournalDamaged, JournalError, JournalForeign
from tradingd.journal.faults import point
from tradingd.journal.folder import Identity, Lock, Paths, fsync_folder, make_folder, read_identity, write_durably
from tradingd.journal.head import Head
from tradingd.journal.segments import Manifest, read_manifest
from tradingd.journal.settings import JournalSettings
from tradingd.journal.verify import VerifyReport, verify

ATTEMPTS_MAX = 5
UNFINISHED = {"LOCK", "HEAD", heads.NAME, "segments", "snapshots"}  # what a copy that was cut short consists of

Say = Callable[[str], None]


@dataclass(slots=True)
class Backup:
    """`kept` sealed segments were there already; `report` is what verifying the copy said."""

    live: bool
    report: VerifyReport
    files: int = 0
    bytes: int = 0
    kept: int = 0


def backup(folder: Path, target: Path, settings: JournalSettings | None = None, say: Say = lambda line: None) -> Backup:
    """Makes `target` a verified copy, or extends the one that is there. `say` hears a line per file and per segment.

    Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError, OSError; what `target` held
    before is then still there.
    """
    return _copy(folder, target, settings or JournalSettings(), say)


def restore(copy: Path, folder: Path, settings: JournalSettings | None = None, say: Say = lambda line: None) -> Backup:
    """Makes `folder`, which holds no journal yet, a verified copy of a backup. Raises as `backup` does."""
    if Paths(folder).identity.exists():
        raise JournalError(f"{folder} holds a journal already; nothing is restored over it, name an empty folder")
    return _copy(copy, folder, settings or JournalSettings(), say)


def _copy(folder: Path, target: Path, settings: JournalSettings, say: Say) -> Backup:
    source, copy = Paths(folder), Paths(target)
    identity = read_identity(source)
    _check_place(source, copy, identity)
    make_folder(copy.folder)
    with ExitStack() as locks:
        locks.callback(Lock.exclusive(copy).release)
        locks.enter_context(Lock.reading(source))
        lock = Lock.shared(source)
        if lock is not None:
            locks.callback(lock.release)
        run = _Copying(source, copy, say)
        run.to_the_end()
        _heal_logs(copy, settings)
    done = Backup(lock is None, verify(target, settings, say), run.files, run.bytes, run.kept)
    if done.report.ok:
        _remove_replaced(copy)
    return done


def _check_place(source: Paths, copy: Paths, identity: Identity) -> None:
    """Raises JournalForeign or JournalError where the copy has no place."""
    here, there = source.folder.resolve(), copy.folder.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise JournalError(f"{copy.folder} and {source.folder} are within each other; name a folder elsewhere")
    if copy.identity.exists():
        _check_same(copy, identity)
    elif there.exists():
        foreign = sorted({path.name.removesuffix(".new") for path in there.iterdir()} - UNFINISHED - {"journal.json"})
        if foreign:
            raise JournalForeign(f"{copy.folder} holds {foreign[0]} and no copy of a journal; name an empty folder")


def _check_same(copy: Paths, identity: Identity) -> None:
    found = read_identity(copy)
    if found != identity:
        raise JournalError(
            f"{copy.folder} holds journal {found.id} (genesis {found.genesis}), not {identity.id} "
            f"(genesis {identity.genesis}); name another folder"
        )


class _Changed(Exception):
    """The journal was rolled over, sealed or opened anew meanwhile."""


class _Copying:
    def __init__(self, source: Paths, copy: Paths, say: Say) -> None:
        self._source = source
        self._copy = copy
        self._say = say
        self.files = 0
        self.bytes = 0
        self.kept = 0

    def to_the_end(self) -> None:
        """Again where the journal was rolled over, sealed or opened anew meanwhile; what is there by then is kept."""
        for folder in (self._copy.segments, self._copy.snapshots):
            make_folder(folder)
        for _ in range(ATTEMPTS_MAX):
            try:
                self._attempt()
                return
            except (FileNotFoundError, _Changed) as error:
                self._say(f"once more, for the journal has changed meanwhile ({error})")
        raise JournalError(f"{self._source.folder} changed {ATTEMPTS_MAX} times while it was copied; try again later")

    def _attempt(self) -> None:
        self.kept = 0
        acknowledged = head.read(self._source.head)  # before the logs
        signed = _whole_lines(self._source.folder / heads.NAME)
        self._check_extends(acknowledged)
        numbers = self._source.segment_numbers()
        open_numbers = [number for number in numbers if not self._sealed(number)]
        fresh = [path for number in open_numbers for path in self._live(number)]
        point("backup.before-check")
        self._check_unchanged(acknowledged, open_numbers)
        for path in fresh:
            self._place(path)
        self._snapshots()
        self._finish(acknowledged, signed)

    def _check_extends(self, acknowledged: Head) -> None:
        if not self._copy.head.exists():
            return
        there = head.read(self._copy.head)
        if there.commit_no > acknowledged.commit_no:
            raise JournalError(
                f"{self._copy.folder} holds commit {there.commit_no}, {self._source.folder} only "
                f"{acknowledged.commit_no}: it lost some, or is an older copy; name another folder"
            )

    def _check_unchanged(self, acknowledged: Head, open_numbers: list[int]) -> None:
        if any(self._source.manifest(number).exists() for number in open_numbers):
            raise _Changed("a segment was sealed")
        if head.read(self._source.head).epoch != acknowledged.epoch:
            raise _Changed("it was opened anew")

    # --- files --------------------------------------------------------------------------------------------------------

    def _sealed(self, number: int) -> bool:
        """Copies it if it is sealed, and is not there already."""
        manifest, there = read_manifest(self._source, number), read_manifest(self._copy, number)
        if manifest is None:
            return False
        if there is not None and there != manifest and not _is_joined_otherwise(there, manifest):
            raise self._differs(self._copy.manifest(number))
        path = self._source.sealed(number)
        target = self._copy.segments / path.name
        if self._source.is_archived(number):
            write_durably(self._copy.archived(number), self._source.archived(number).read_bytes())
        elif target.exists() and segments.sha256(target) == manifest.sha256:
            self.kept += 1
        else:
            sha256 = self._fetch(path, target)
            if sha256 != manifest.sha256:
                raise JournalDamaged(f"{path} is not what its manifest says; see what `trade verify` says of it")
            unfinished(target).chmod(0o444)
            self._place(target)
        write_durably(self._copy.manifest(number), self._source.manifest(number).read_bytes())
        return True

    def _live(self, number: int) -> list[Path]:
        """Fetches the schema and its log; they get their names once the journal is known not to have changed."""
        pairs = [(self._source.live(number), self._copy.live(number))]
        if self._source.wal(number).exists():  # it is made with the first commit
            pairs.append((self._source.wal(number), self._copy.wal(number)))
        elif self._copy.wal(number).exists() and not self._source.manifest(number).exists():
            raise self._differs(self._copy.wal(number))
        for path, target in pairs:
            self._fetch(path, target)
        return [target for _, target in pairs]

    def _snapshots(self) -> None:
        for path in sorted(self._source.snapshots.glob("*.snap")):
            target = self._copy.snapshots / path.name
            if not target.exists() or not filecmp.cmp(path, target, shallow=False):
                self._fetch(path, target)
                unfinished(target).replace(target)
        fsync_folder(self._copy.snapshots)

    def _finish(self, acknowledged: Head, signed: bytes) -> None:
        fsync_folder(self._copy.segments)
        if signed:
            self._extend(heads.NAME, signed)
        point("backup.before-head")
        write_durably(self._copy.head, head.whole_content(acknowledged))
        write_durably(self._copy.identity, self._source.identity.read_bytes())

    def _extend(self, name: str, content: bytes) -> None:
        path = self._copy.folder / name
        if path.exists() and not content.startswith(path.read_bytes()):
            raise self._differs(path)
        write_durably(path, content)

    def _fetch(self, path: Path, target: Path) -> str:
        sha256 = copy_file(path, unfinished(target))
        self.files += 1
        self.bytes += unfinished(target).stat().st_size
        self._say(f"{path.name}: copied")
        return sha256

    def _place(self, target: Path) -> None:
        """Never in place of what it does not continue, except of a sealed segment that is not as it was."""
        grows = target.name.endswith((".live.duckdb", ".wal"))
        if grows and target.exists() and not is_beginning(target, unfinished(target)):
            raise self._differs(target)
        unfinished(target).replace(target)

    def _differs(self, path: Path) -> JournalError:
        return JournalError(
            f"{path} is not the beginning of what {self._source.folder} holds: one of them was changed, or is another "
            "journal's; it is left as it is, name another folder"
        )


def _is_joined_otherwise(there: Manifest, manifest: Manifest) -> bool:
    """The same rows with others before them, or without: the chain up to their end is one."""
    ends = {(each.segment, each.last_commit, each.last_seq, each.digest) for each in (there, manifest)}
    return len(ends) == 1 and there.first_segment != manifest.first_segment


def _whole_lines(path: Path) -> bytes:
    """Of a file that may not be there; half a line at its end is still being written."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _heal_logs(copy: Paths, settings: JournalSettings) -> None:
    """Cuts off what of a commit was in the log already; that nothing acknowledged is missing, `verify` tells."""
    for number in copy.segment_numbers():
        if copy.segment(number) == copy.live(number):
            _heal_log(copy.live(number), copy.wal(number), settings)


def _heal_log(path: Path, wal: Path, settings: JournalSettings) -> None:
    try:
        database.open_read_only(path, settings).close()
    except duckdb.Error as error:
        if torn.cut_tail(wal, error):
            torn.copy_of(wal).unlink()


def _remove_replaced(copy: Paths) -> None:
    """Segments that are sealed or joined by now, once what they became is verified."""
    compact.tidy_unless_busy(copy)
    for number in copy.segment_numbers():
        if copy.manifest(number).exists():
            segments.remove_live(copy, number)
