"""trade journal: what is done with the files of a journal, as files."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import frame
from .options import AsJson, JournalArgument
from .output import answer, counted, note
from .reading import NICENESS, give_way, opened
from .verify import report_lines, report_object

if TYPE_CHECKING:
    from tradingd.journal.backup import Backup
    from tradingd.journal.segments import Manifest


class Form(StrEnum):
    PARQUET = "parquet"
    ARROW = "arrow"
    CSV = "csv"


Place = Annotated[Path, typer.Argument(metavar="DIR", help="A folder elsewhere.", show_default=False)]


def seal(journal: JournalArgument, as_json: AsJson = False) -> None:
    """Seal every segment of a closed journal, the last one too; the next start begins a new one.

    Sealed files never change again, so they can be copied, archived and hashed one by one.

    Example: trade journal seal journal/demo
    """
    from tradingd.journal.finishing import seal_all

    sealed = seal_all(journal)
    answer(
        {"sealed": sealed},
        [f"sealed {_segment_text(each)}" for each in sealed] if sealed else ["all segments were sealed before"],
        as_json,
    )


def backup(journal: JournalArgument, target: Place, as_json: AsJson = False) -> None:
    """Copy a journal elsewhere, also while a daemon writes it, and verify the copy.

    A copy that is there is extended: sealed segments that it has are not copied again. Nothing in it is ever replaced
    by what does not continue it.

    Example: trade journal backup journal/demo backup/demo
    """
    from tradingd.journal.backup import backup as backed_up

    give_way(journal)
    _answer(target, backed_up(journal, target, say=note), as_json)


def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.", show_default=False)],
    journal: JournalArgument,
    as_json: AsJson = False,
) -> None:
    """Copy a backup to where no journal is yet, and verify it. Its next start gives it a new id, as any copy's.

    Example: trade journal restore backup/demo journal/restored
    """
    from tradingd.journal.backup import restore as restored

    _answer(journal, restored(source, journal, say=note), as_json)


def export(
    journal: JournalArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="An empty folder.", show_default=False)],
    to: Annotated[Form, typer.Option("--to", help="The kind of files.")] = Form.PARQUET,
    first: Annotated[str | None, typer.Option("--from", metavar="SEQ|TIME", help="Begin there.")] = None,
    last: Annotated[str | None, typer.Option("--until", metavar="SEQ|TIME", help="End there, included.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write ticks, frames, bars, facts and commits to files, one per segment and table, as they were committed.

    Whole commits: from the one that holds --from to the one that holds --until. SHA256SUMS has the sum of each file
    (sha256sum -c) and the chain's digests.

    Example: trade journal export journal/demo --to parquet --out exported
    """
    from tradingd.audit import export as exporting
    from tradingd.audit.points import first_seq_at, seq_at
    from tradingd.journal.settings import JournalSettings

    with opened(journal) as reader:
        first_seq, last_seq = first_seq_at(reader, first), seq_at(reader, last)
        done = exporting.export(reader, out, exporting.Form(to.value), first_seq, last_seq, JournalSettings())
    size = sum(file.bytes for file in done.files)
    lines = [
        f"{out}: {counted(len(done.files), 'file')}, {size / 1e6:,.1f} MB",
        f"commits {done.first_commit} to {done.last_commit}, seq {done.first_seq} to {done.last_seq}",
        f"digest {done.digest}",
    ]
    answer(done, lines, as_json)


def compact(
    journal: JournalArgument,
    mb: Annotated[int, typer.Option("--mb", metavar="MB", min=1, help="Below this size together.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Join neighbouring sealed segments into one file each, also beside a daemon; rows and digests stay as they are.

    It takes as much free space as the largest file that comes out, and 512 MB. Archived segments stay as they are. It
    waits for who reads the journal, a minute at most.

    Example: trade journal compact journal/demo --mb 1000
    """
    from tradingd.journal.compact import compact as compacted

    os.nice(NICENESS)
    made = compacted(journal, mb, say=note)
    lines = [f"made {_segment_text(each)}" for each in made] if made else ["nothing to join"]
    answer({"compacted": made}, lines, as_json)


def archive(
    journal: JournalArgument,
    before: Annotated[str, typer.Option("--before", metavar="DATE", help="UTC; a time too.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A folder for this journal's.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Move sealed segments whose last commit is older than a date to another folder, also beside a daemon.

    Their manifests stay: verify follows the chain over them, and reads them with --archive DIR. Other commands read
    them where they were moved to. The newest segment always stays.

    Example: trade journal archive journal/demo --before 2026-01-01 --to /archive/demo
    """
    from tradingd.audit.points import parse_date_ns
    from tradingd.journal.archive import archive as archived

    moved = archived(journal, to, parse_date_ns(before), say=note)
    lines = [f"moved {counted(len(moved), 'segment')} to {to}"]
    answer({"archived": moved}, [*lines, *map(_segment_text, moved)], as_json)


def _answer(target: Path, done: "Backup", as_json: bool) -> None:
    copied = f"copied {counted(done.files, 'file')}, {done.bytes / 1e6:,.1f} MB"
    kept = f"; {counted(done.kept, 'sealed segment')} there already" if done.kept else ""
    result = report_object(target, done.report)
    result |= {"live": done.live, "files": done.files, "bytes": done.bytes, "kept_segments": done.kept}
    answer(result, [copied + kept, *report_lines(target, done.report)], as_json)
    if not done.report.ok:
        raise typer.Exit(frame.NO)


def _segment_text(manifest: "Manifest") -> str:
    rows = counted(sum(manifest.rows.values()) - manifest.rows["commits"], "row")
    seqs = f"seq {manifest.first_seq} to {manifest.last_seq}"
    first = manifest.first_segment
    name = f"segments {first} to {manifest.segment}" if first else f"segment {manifest.segment}"
    return f"{name}: {seqs}, {rows}, {manifest.file_bytes / 1e6:,.1f} MB"
