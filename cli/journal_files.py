"""trade journal: what is done with the files of a journal, as files."""

from typing import TYPE_CHECKING

from .options import AsJson, JournalArgument
from .output import answer, counted

if TYPE_CHECKING:
    from tradingd.journal.segments import Manifest


def seal(journal: JournalArgument, as_json: AsJson = False) -> None:
    """Seal every segment of a closed journal, the last one too; the next start begins a new one.

    Sealed files never change again, so they can be copied, archived and hashed one by one.

    Example: trade journal seal journal/demo
    """
    from tradingd.journal.finishing import seal_all

    sealed = seal_all(journal)
    answer({"sealed": sealed}, map(_sealed_line, sealed) if sealed else ["all segments were sealed before"], as_json)


def _sealed_line(manifest: "Manifest") -> str:
    rows = counted(sum(manifest.rows.values()) - manifest.rows["commits"], "row")
    seqs = f"seq {manifest.first_seq} to {manifest.last_seq}"
    return f"sealed segment {manifest.segment}: {seqs}, {rows}, {manifest.file_bytes / 1e6:,.1f} MB"
