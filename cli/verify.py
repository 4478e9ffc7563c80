"""trade verify: whether a journal is as it was written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import frame
from .options import AsJson, JournalArgument
from .output import Mood, answer, counted, note, styled
from .reading import give_way

if TYPE_CHECKING:
    from tradingd.journal.verify import VerifyReport


def verify(
    journal: JournalArgument,
    anchors: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor", metavar="FILE|HEX", help="Signed heads, or a digest, that were kept elsewhere. Repeatable."
        ),
    ] = None,
    public_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--public-key", metavar="HEX|FILE", help="A key that may have signed heads, no other may. Repeatable."
        ),
    ] = None,
    archive: Annotated[
        Path | None, typer.Option("--archive", metavar="DIR", help="Read segments that were archived there too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every digest of a journal from its first row: nothing changed, removed, added, reordered or cut off.

    The answer is no (1) at the first fault. Of a journal in use only the sealed segments are looked at. Who can write
    the journal can write all of it anew: only what was kept elsewhere (--anchor) tells.

    Example: trade verify journal/demo --anchor archive/heads.jsonl --public-key signing.pem.pub
    """
    from tradingd.journal.signing import read_public_key
    from tradingd.journal.verify import verify as verified
    from tradingd.journal.witness import evidence_of

    give_way(journal)
    keys = [read_public_key(text) for text in public_keys or []]
    report = verified(journal, say=note, evidence=evidence_of(anchors or [], keys), archive=archive)
    answer(report_object(journal, report), report_lines(journal, report), as_json)
    if not report.ok:
        raise typer.Exit(frame.NO)


def report_object(journal: Path, report: "VerifyReport") -> dict[str, Any]:
    return {
        "ok": report.ok,
        "journal": str(journal),
        "journal_id": report.journal_id,
        "segments": report.segments,
        "rows": report.rows,
        "last_commit": report.end.commit_no,
        "last_seq": report.end.last_seq,
        "digest": report.end.digest.hex(),
        "signed_heads": report.heads,
        "anchored_heads": report.anchored,
        "public_keys": report.public_keys,
        "fault": report.fault._asdict() if report.fault else None,
        "notes": report.notes,
    }


def report_lines(journal: Path, report: "VerifyReport") -> list[str]:
    if report.fault is not None:
        return [styled(f"{journal}: NOT as it was written", Mood.BAD), f"first fault: {report.fault}", *report.notes]
    end = report.end
    parts = (counted(report.segments, "segment"), counted(end.commit_no, "commit"), counted(report.rows, "row"))
    size = f"{', '.join(parts)}, seq 1 to {end.last_seq}"
    lines = [styled(f"{journal}: as it was written", Mood.GOOD), size, f"digest {end.digest.hex()}"]
    return [*lines, *_signed(report), *report.notes]


def _signed(report: "VerifyReport") -> list[str]:
    if not report.heads:
        return []
    anchored = f", {counted(report.anchored, 'signed head')} kept elsewhere" if report.anchored else ""
    return [f"{counted(report.heads, 'signed head')} in the journal{anchored}, by {', '.join(report.public_keys)}"]
