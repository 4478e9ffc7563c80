"""What a journal holds: its segments, its runs and its snapshots."""

from msgspec import Struct

from tradingd.audit.points import time_text
from tradingd.audit.runs import Run, runs_of
from tradingd.events import SnapshotTaken
from tradingd.journal.reader import JournalReader


class Segment(Struct):
    """`rows` by table; they and the seqs are None for a segment that a writer holds."""

    number: int
    file: str
    bytes: int
    sealed: bool
    first_seq: int | None
    last_seq: int | None
    rows: dict[str, int] | None


class RunLine(Struct):
    seq: int
    epoch: int
    resumed: str
    code_digest: str
    config_digest: str
    sources: tuple[str, ...]
    versions: dict[str, str]


class SnapshotLine(Struct):
    seq: int
    at_seq: int
    file: str


class HeadLine(Struct):
    """The newest acknowledged commit."""

    epoch: int
    commit_no: int
    last_seq: int
    digest: str


class Listing(Struct):
    """`live`: a writer holds the journal."""

    journal_id: str
    genesis: str
    created: str
    live: bool
    head: HeadLine
    segments: list[Segment]
    runs: list[RunLine]
    snapshots: list[SnapshotLine]


def listing(reader: JournalReader) -> Listing:
    head = reader.head
    return Listing(
        journal_id=reader.id,
        genesis=reader.identity.genesis,
        created=time_text(reader.identity.created_ns),
        live=reader.is_live,
        head=HeadLine(head.epoch, head.commit_no, head.last_seq, head.digest.hex()),
        segments=_segments(reader),
        runs=[_run_line(run) for run in runs_of(reader)],
        snapshots=_snapshots(reader),
    )


def _segments(reader: JournalReader) -> list[Segment]:
    found = []
    for info in reader.segments():
        content = reader.content(info.number)
        first, last, rows = (content.first_seq, content.last_seq, content.rows) if content else (None, None, None)
        sealed = info.manifest is not None
        found.append(Segment(info.number, info.path.name, info.file_bytes, sealed, first, last, rows))
    return found


def _run_line(run: Run) -> RunLine:
    body = run.body
    return RunLine(
        seq=run.seq,
        epoch=body.epoch,
        resumed=body.resumed.value,
        code_digest=body.code_digest,
        config_digest=body.config_digest,
        sources=body.sources,
        versions=body.versions,
    )


def _snapshots(reader: JournalReader) -> list[SnapshotLine]:
    taken = [(event.seq, event.body) for event in reader.events(SnapshotTaken)]
    lines = [SnapshotLine(seq, body.at_seq, body.file) for seq, body in taken if isinstance(body, SnapshotTaken)]
    return lines[::-1]
