"""trade verify: whether a journal is as it was written."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from . import frame
from .options import AsJson, JournalArgument
from .output import Mood, answer, counted, note, styled

if TYPE_CHECKING:
    from tradingd.journal.verify import VerifyReport


def verify(journal: JournalArgument, as_json: AsJson = False) -> None:
    """Recompute every digest of a journal from its first row: nothing changed, removed, added, reordered or cut off.

    The answer is no (1) at the first fault. Of a journal in use only the sealed segments are looked at.

    Example: trade verify journal/demo
    """
    from tradingd.journal.verify import verify as verified

    report = verified(journal, say=note)
    answer(_object(journal, report), _lines(journal, report), as_json)
    if not report.ok:
        raise typer.Exit(frame.NO)


def _object(journal: Path, report: "VerifyReport") -> dict[str, Any]:
    return {
        "ok": report.ok,
        "journal": str(journal),
        "journal_id": report.journal_id,
        "segments": report.segments,
        "rows": report.rows,
        "last_commit": report.end.commit_no,
        "last_seq": report.end.last_seq,
        "digest": report.end.digest.hex(),
        "fault": report.fault._asdict() if report.fault else None,
        "notes": report.notes,
    }


def _lines(journal: Path, report: "VerifyReport") -> list[str]:
    if report.fault is not None:
        return [styled(f"{journal}: NOT as it was written", Mood.BAD), f"first fault: {report.fault}", *report.notes]
    end = report.end
    parts = (counted(report.segments, "segment"), counted(end.commit_no, "commit"), counted(report.rows, "row"))
    size = f"{', '.join(parts)}, seq 1 to {end.last_seq}"
    return [styled(f"{journal}: as it was written", Mood.GOOD), size, f"digest {end.digest.hex()}", *report.notes]
