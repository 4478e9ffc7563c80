"""Old sealed segments moved elsewhere; their manifests stay, so that the chain still spans what was moved.

A segment is in both places before it leaves the first. Nothing of a journal in use is in the way: a sealed segment is
never written, and the daemon reads it where it is by then.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from tradingd.journal import database, segments
from tradingd.journal.copying import copy_file, unfinished
from tradingd.journal.errors import JournalDamaged, JournalError
from tradingd.journal.faults import point
from tradingd.journal.folder import Archived, Lock, Paths, fsync_folder, make_folder, read_identity, write_durably
from tradingd.journal.segments import Manifest, read_manifest
from tradingd.journal.settings import JournalSettings

Say = Callable[[str], None]


def archive(
    folder: Path, target: Path, before_ns: int, settings: JournalSettings | None = None, say: Say = lambda line: None
) -> list[Manifest]:
    """Moves the oldest sealed segments whose last commit is before a time, never the newest one; what it moved.

    Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError, OSError.
    """
    paths = Paths(folder)
    read_identity(paths)
    _check_place(paths, target)
    with Lock.upkeep(paths):
        old = _old(paths, before_ns, settings or JournalSettings())
        if old:
            _move_all(paths, target, old, say)
    return old


def _move_all(paths: Paths, target: Path, old: list[Manifest], say: Say) -> None:
    make_folder(target)
    with Lock.exclusive(Paths(target)):
        write_durably(target / "journal.json", paths.identity.read_bytes())
        for manifest in old:
            _move(paths, target, manifest)
            say(f"{paths.sealed(manifest.segment).name}: moved")


def _check_place(paths: Paths, target: Path) -> None:
    """One folder per journal: names of segments are the same in all."""
    here, there = paths.folder.resolve(), target.resolve()
    if here == there or here in there.parents:
        raise JournalError(f"{target} is within the journal; name a folder elsewhere")
    if (target / "segments").exists():
        raise JournalError(f"{target} is a journal; name a folder for archived segments alone")
    if (target / "journal.json").exists():
        found, own = read_identity(Paths(target)).genesis, read_identity(paths).genesis
        if found != own:
            raise JournalError(f"{target} holds segments of genesis {found}, not of {own}; name another folder")


def _old(paths: Paths, before_ns: int, settings: JournalSettings) -> list[Manifest]:
    old = []
    for number in paths.segment_numbers()[:-1]:
        manifest = read_manifest(paths, number)
        if manifest is None:
            break
        if not paths.sealed(number).exists():  # archived before
            continue
        if _last_commit_ns(paths.sealed(number), settings) >= before_ns:
            break
        old.append(manifest)
    return old


def _last_commit_ns(path: Path, settings: JournalSettings) -> int:
    with closing(database.open_read_only(path, settings)) as connection:
        return int(connection.execute("SELECT coalesce(max(committed_ns), 0) FROM commits").fetchall()[0][0])


def _move(paths: Paths, folder: Path, manifest: Manifest) -> None:
    path = paths.sealed(manifest.segment)
    target = folder / path.name
    if target.exists() and segments.sha256(target) != manifest.sha256:
        raise JournalError(f"{target} is another segment than {path}; name another folder")
    if not target.exists():
        if copy_file(path, unfinished(target)) != manifest.sha256:
            raise JournalDamaged(f"{path} is not what its manifest says; see what `trade verify` says of it")
        unfinished(target).chmod(0o444)
        unfinished(target).replace(target)
    write_durably(folder / paths.manifest(manifest.segment).name, paths.manifest(manifest.segment).read_bytes())
    point("archive.before-note")
    write_durably(paths.archived(manifest.segment), msgspec.json.encode(Archived(str(folder.resolve()))) + b"\n")
    point("archive.before-removal")
    path.unlink()
    fsync_folder(paths.segments)
