"""Neighbouring sealed segments joined into one file, so that folders stay small and readers open few.

The digest chain is over values and stays as it is. The joined file has its name before it counts. What makes it count
is the manifest of its last member, replaced by one that names the first, which waits for readers. Members go last.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import msgspec

from tradingd.journal import segments
from tradingd.journal.errors import JournalDamaged, JournalError, JournalLocked, one_line
from tradingd.journal.faults import point
from tradingd.journal.folder import Lock, Paths, fsync_folder, read_identity
from tradingd.journal.segments import Manifest, read_manifest
from tradingd.journal.settings import JournalSettings

FREE_BYTES_MIN = 512_000_000  # that a daemon beside it goes on
OF_SEGMENT = re.compile(r"^(?:(?P<first>\d{6})-)?(?P<last>\d{6})\.")
MEMBERS_MAX = 256  # of one file at once: each is a file that is open
JOINING = ".joining"  # not ".new": a writer that starts meanwhile removes those

Say = Callable[[str], None]


def compact(
    folder: Path, mb: int = 1000, settings: JournalSettings | None = None, say: Say = lambda line: None
) -> list[Manifest]:
    """Joins sealed segments while their files are below `mb` (of 10^6 bytes) together; what it made. Also beside a
    writer. Archived segments stay alone.

    Raises JournalForeign, JournalTooNew, JournalLocked, JournalDamaged, JournalError, OSError; the journal is then
    whole, joined up to there.
    """
    paths = Paths(folder)
    read_identity(paths)
    with Lock.upkeep(paths):
        tidy(paths)
        try:
            return _join_all(paths, mb * 1_000_000, settings or JournalSettings(), say)
        except (JournalError, OSError):
            tidy(paths)
            raise


def _join_all(paths: Paths, bytes_max: int, settings: JournalSettings, say: Say) -> list[Manifest]:
    made = []
    for members in _runs(paths, bytes_max):
        made.append(_joined(paths, members, settings))
        say(f"{paths.sealed(made[-1].segment).name}: {len(members)} segments joined")
    return made


def _runs(paths: Paths, bytes_max: int) -> list[list[Manifest]]:
    """Neighbours that make one segment each."""
    runs: list[list[Manifest]] = [[]]
    for number in paths.segment_numbers():
        manifest = read_manifest(paths, number)
        if manifest is None or paths.is_archived(number):
            runs.append([])
        elif _fits(manifest, runs[-1], bytes_max):
            runs[-1].append(manifest)
        else:
            runs.append([manifest])
    return [run for run in runs if len(run) > 1]


def _fits(manifest: Manifest, run: list[Manifest], bytes_max: int) -> bool:
    return len(run) < MEMBERS_MAX and sum(each.file_bytes for each in run) + manifest.file_bytes < bytes_max


def _joined(paths: Paths, members: list[Manifest], settings: JournalSettings) -> Manifest:
    path = paths.spanning(_first(members[0]), members[-1].segment)
    needed = sum(each.file_bytes for each in members) + FREE_BYTES_MIN
    if shutil.disk_usage(paths.segments).free < needed:
        raise JournalError(f"{path} needs {needed / 1e6:,.0f} MB of free space; make room, or join less at a time")
    try:
        return _join(paths, members, path, settings)
    except duckdb.Error as error:
        raise JournalError(f"{path} can not be made: {one_line(error)}; all is as it was") from error


def _join(paths: Paths, members: list[Manifest], path: Path, settings: JournalSettings) -> Manifest:
    unfinished = path.with_name(path.name + JOINING)
    point("compact.before-copy")
    segments.copy_rows([paths.sealed(each.segment) for each in members], unfinished, settings)
    point("compact.after-copy")
    manifest = segments.describe(unfinished, members[-1].segment, settings)
    manifest = msgspec.structs.replace(manifest, first_segment=_first(members[0]))
    _check(manifest, members, path)
    segments.put_sealed(unfinished, path)
    point("compact.before-manifest")
    with Lock.unread(paths):
        segments.write_manifest(paths, manifest)
    point("compact.after-manifest")
    tidy(paths)
    point("compact.after-removal")
    return manifest


def _first(manifest: Manifest) -> int:
    return manifest.first_segment or manifest.segment


def _check(manifest: Manifest, members: Sequence[Manifest], path: Path) -> None:
    """Its chain holds; it also has to begin, end and count as those that it is made of."""
    first, last = members[0], members[-1]
    expected = msgspec.structs.replace(
        manifest,
        first_commit=first.first_commit,
        first_seq=first.first_seq,
        digest_before=first.digest_before,
        last_commit=last.last_commit,
        last_seq=last.last_seq,
        digest=last.digest,
        rows={table: sum(each.rows[table] for each in members) for table in manifest.rows},
    )
    if manifest != expected:
        raise JournalDamaged(
            f"the segments of {path.name} are not what their manifests say; see what `trade verify` says"
        )


# --- what counts no more ----------------------------------------------------------------------------------------------


def tidy(paths: Paths) -> None:
    """Removes what was not finished, and members of what was. For who holds `Lock.upkeep`. Raises JournalDamaged.

    Not where the joined file is in an archive: members that are here may be all that there is.
    """
    if not any(paths.segments.glob("*-*.duckdb*")):
        return
    numbers = paths.segment_numbers()
    kept = {path for number in numbers for path in (paths.sealed(number), paths.manifest(number))}
    spans = [range(paths.first(number), number + 1) for number in numbers if not paths.is_archived(number)]
    joined = {number for span in spans if len(span) > 1 for number in span}
    for path in sorted(paths.segments.iterdir()):  # a member's manifest after its rows
        match = OF_SEGMENT.match(path.name)
        if match and path not in kept and (match["first"] or int(match["last"]) in joined):
            path.unlink()
    fsync_folder(paths.segments)


def tidy_unless_busy(paths: Paths) -> None:
    """Raises JournalDamaged."""
    try:
        upkeep = Lock.upkeep(paths)
    except JournalLocked:  # what is unfinished is being finished
        return
    with upkeep:
        tidy(paths)
