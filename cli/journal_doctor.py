"""trade journal doctor: what is wrong with a journal, in plain words, and a new one of what holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import frame
from .options import AsJson, JournalArgument
from .output import Mood, answer, counted, note, styled
from .verify import report_lines, report_object

if TYPE_CHECKING:
    from tradingd.journal.diagnosis import Diagnosis, Finding, Later, Lost
    from tradingd.journal.rebuild import Recovery

MEANINGS = {
    "identity": "journal.json is missing or not as it was; the first segment proves the genesis of the chain",
    "head_missing": "HEAD is gone: what was acknowledged last can not be told, and no daemon starts",
    "head_slot": "one of the two slots of HEAD does not check, as after a crash in the middle of a write; the other "
    "one counts, and may be one commit older",
    "head_unreadable": "neither slot of HEAD checks: what was acknowledged last can not be told, and no daemon starts",
    "cut_off": "the end is missing: commits that were acknowledged are not in any segment",
    "signed_head": "a line of heads.jsonl is not as it was signed; the rows that it was about are not touched by that",
    "signed_heads_torn": "heads.jsonl ends in half a line, as after a crash",
    "contradiction": "the chain holds, but it is not the one that was acknowledged: the history was rewritten, or went "
    "on from an older copy; only what an earlier signed head agrees with counts here",
    "segment_missing": "a segment is gone; what comes after it can not be proven to follow",
    "segment_start": "a segment says of itself that it follows another state than the one that comes before it",
    "unreadable": "the file can not be read any further: its bytes are not as they were written",
    "commit": "a commit is missing, stands twice or is out of order",
    "rows": "a commit has not as many rows as were written: rows were removed, added or moved",
    "digest": "a commit is not as it was written: at least one value in it has changed",
    "surplus": "there are rows that belong to no commit of the chain",
    "absent_value": "a value that no digest can tell from an absent one stands where none was written",
    "live_file": "the file of a live segment can not be opened; it has tables without rows, which were made anew "
    "here to read its log, where all rows are",
    "log_torn": "the log has an entry that is not whole; what comes after it can not be read",
    "log_unreadable": "the log can not be read at all; everything in its segment was in there",
    "manifest_missing": "a sealed segment has no manifest; its rows are held against the chain all the same",
    "manifest_unreadable": "a manifest can not be read; the rows of its segment are held against the chain all "
    "the same",
    "manifest_differs": "the file of a segment is not what its manifest describes, though its rows follow the chain",
    "snapshot": "a snapshot is not as it was written; it is only a shortcut, the rows have all that is in it",
}


def doctor(
    journal: JournalArgument,
    new: Annotated[
        Path | None,
        typer.Option(
            "--recover", metavar="DIR", help="Make a new journal there of all that holds.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain what is wrong with a journal, how far it holds, and what is lost. Nothing in it is ever changed.

    --recover copies every commit before the damage into a new journal, and verifies that. The answer is no (1) where
    the journal is damaged, or what was recovered does not verify.

    Example: trade journal doctor journal/demo --recover journal/recovered
    """
    if new is None:
        from tradingd.journal.salvage import examine

        found = examine(journal, say=note)
        answer(_object(journal, found), _lines(journal, found, new), as_json)
        if not found.ok:
            raise typer.Exit(frame.NO)
        return
    _recover(journal, new, as_json)


def _recover(journal: Path, new: Path, as_json: bool) -> None:
    from tradingd.journal.rebuild import recover

    done = recover(journal, new, say=note)
    result = _object(journal, done.diagnosis) | {"recovered": report_object(new, done.report)}
    answer(result, [*_lines(journal, done.diagnosis, new), *_recovered_lines(new, done)], as_json)
    if not done.report.ok:
        raise typer.Exit(frame.NO)


# --- for programs -----------------------------------------------------------------------------------------------------


def _object(journal: Path, found: "Diagnosis") -> dict[str, Any]:
    return {
        "ok": found.ok,
        "verdict": _verdict(found),
        "journal": str(journal),
        "journal_id": found.identity.id,
        "genesis": found.identity.genesis,
        "last_commit": found.end.commit_no,
        "last_seq": found.end.last_seq,
        "digest": found.end.digest.hex(),
        "acknowledged_commit": found.head.commit_no if found.head else None,
        "acknowledged_seq": found.head.last_seq if found.head else None,
        "findings": [_finding_object(finding) for finding in found.findings],
        "lost": _lost_object(found.lost) if found.lost else None,
        "later": [_later_object(later) for later in found.later],
        "notes": found.notes,
        "recovered": None,
    }


def _finding_object(finding: "Finding") -> dict[str, Any]:
    fault = finding.fault._asdict()
    return {"kind": finding.kind, "heals": finding.heals, "meaning": MEANINGS[finding.kind], **fault}


def _lost_object(lost: "Lost") -> dict[str, Any]:
    known = lost.tally
    return {
        "first_commit": lost.first_commit,
        "last_commit": lost.last_commit,
        "first_seq": lost.first_seq,
        "last_seq": lost.last_seq,
        "acknowledged_by": lost.acknowledged_by,
        "known_commits": known.commits,
        "known_rows": known.by_table,
        "known_from_ns": known.from_ns,
        "known_to_ns": known.to_ns,
    }


def _later_object(later: "Later") -> dict[str, Any]:
    return later._asdict() | {"fault": later.fault._asdict() if later.fault else None}


# --- for people -------------------------------------------------------------------------------------------------------


def _verdict(found: "Diagnosis") -> str:
    if not found.ok:
        return "damaged"
    return "heals" if found.findings else "healthy"


def _lines(journal: Path, found: "Diagnosis", new: Path | None) -> Iterator[str]:
    yield {
        "damaged": styled(f"{journal}: DAMAGED", Mood.BAD),
        "heals": styled(f"{journal}: as a crash leaves it; the next start heals that", Mood.GOOD),
        "healthy": styled(f"{journal}: healthy", Mood.GOOD),
    }[_verdict(found)]
    end = found.end
    yield f"holds up to commit {end.commit_no}, seq {end.last_seq}, digest {end.digest.hex()}"
    for finding in found.findings:
        yield f"found {finding.fault}"
        yield f"  {MEANINGS[finding.kind]}"
    yield from _lost_lines(found)
    yield from map(_later_line, found.later)
    yield from found.notes
    if not found.ok:
        yield from _advice(journal, found, new)


def _lost_lines(found: "Diagnosis") -> Iterator[str]:
    lost = found.lost
    if lost is not None:
        span = f"commits {lost.first_commit} to {lost.last_commit}, seq {lost.first_seq} to {lost.last_seq}"
        yield styled(f"lost: {span}, acknowledged by {lost.acknowledged_by}", Mood.BAD)
        yield from _known_lines(lost)
    elif found.head is not None:
        slots = ", as far as the slot of HEAD tells that checks" if _has(found, "head_slot") else ""
        yield f"lost: nothing that was acknowledged{slots}"
    if found.head is None:
        yield "what was acknowledged can not be told without HEAD: more than this may be lost"


def _has(found: "Diagnosis", kind: str) -> bool:
    return any(finding.kind == kind for finding in found.findings)


def _known_lines(lost: "Lost") -> Iterator[str]:
    from tradingd.audit.points import time_text

    known, commits = lost.tally, lost.last_commit - lost.first_commit + 1
    if known.from_ns is None or known.to_ns is None:
        yield f"  of these {counted(commits, 'commit')} nothing can be read"
        return
    rows = ", ".join(f"{count:,} {table}" for table, count in known.by_table.items())
    yield f"  {known.commits:,} of these {counted(commits, 'commit')} still say what they held: {rows},"
    yield f"  committed from {time_text(known.from_ns)} to {time_text(known.to_ns)}"


def _later_line(later: "Later") -> str:
    span = f"commits {later.first_commit} to {later.last_commit}, seq {later.first_seq} to {later.last_seq}"
    if later.fault is None:
        return f"after the damage: {later.name} is whole in itself ({span}); its rows can be read, not proven to follow"
    return f"after the damage: {later.name} holds in itself up to commit {later.last_commit}; then {later.fault}"


def _advice(journal: Path, found: "Diagnosis", new: Path | None) -> Iterator[str]:
    yield "what to do:"
    yield f"  keep {journal} as it is: it is the evidence, and this command never changes it"
    if found.lost is not None or found.head is None:
        yield f"  a backup that goes beyond commit {found.end.commit_no} is better: trade journal restore BACKUP NEW"
    if new is None:
        yield f"  recover what holds: trade journal doctor {journal} --recover NEW; then trade verify NEW"
    if found.lost is not None or found.head is None:
        yield "  before it trades, look at the venue: lost orders may be live there, and fills unknown here"


def _recovered_lines(new: Path, done: "Recovery") -> Iterator[str]:
    end = done.diagnosis.end
    yield f"recovered commits 1 to {end.commit_no}, seq 1 to {end.last_seq}; verifying what was written says:"
    yield from report_lines(new, done.report)
