"""trade journal: what is in a journal, its newest events, and SQL over it."""

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import frame, journal_doctor, journal_files
from .options import AsJson, JournalArgument
from .output import answer, counted, frame_lines, table
from .reading import opened

if TYPE_CHECKING:
    from tradingd.audit.listing import Listing
    from tradingd.audit.newest import Line
    from tradingd.audit.points import Position

KEY_FILE = Path("~/.config/tradingd/signing.pem")
FOLLOW_S = 1.0
FOLLOWED_MAX = 10_000  # lines at a time

app = frame.group("Look into a journal, and keep its files.")
app.command()(journal_files.seal)
app.command()(journal_files.backup)
app.command()(journal_files.restore)
app.command()(journal_files.export)
app.command()(journal_files.archive)
app.command()(journal_files.compact)
app.command()(journal_doctor.doctor)


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command("ls")
def list_content(journal: JournalArgument, as_json: AsJson = False) -> None:
    """List segments, runs and snapshots.

    Example: trade journal ls journal/demo
    """
    from tradingd.audit.listing import listing

    with opened(journal) as reader:
        found = listing(reader)
    answer(found, _listing_lines(found), as_json)


@app.command()
def tail(
    journal: JournalArgument,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 20,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only these; Bar, Trade, Quote and Frame too. Repeatable."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those that come, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the newest events, one line each, ticks and bars left out.

    Of a journal in use live segments are copied first; `tradingd tail` follows the daemon itself.

    Example: trade journal tail journal/demo -n 50 --type OrderFilled --type OrderRefused
    """
    from tradingd.audit.newest import START

    if follow and as_json:
        raise frame.UsageError("--json is one object, --follow has no end; choose (tradingd tail --json has lines)")
    found = _newest(journal, count, types or [], START)
    answer({"events": found}, _event_lines(found), as_json)
    if follow:
        _follow(journal, types or [], found)


@app.command()
def sql(
    journal: JournalArgument,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT.", show_default=False)],
    form: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TABLE,
    timeout_s: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Stop it then.")] = 300.0,
    memory_mb: Annotated[int, typer.Option("--memory", metavar="MB", min=64, help="What it may use.")] = 2048,
    as_json: AsJson = False,
) -> None:
    """Answer one SELECT over ticks, trades, quotes, bars, facts, commits, events and a view per type of event.

    The query runs in a database of its own that can change nothing and reach no other file.

    Example: trade journal sql journal/demo "SELECT rule, count(*) FROM order_refused GROUP BY rule"
    """
    from tradingd.journal.sql import SqlLimits

    with opened(journal) as reader:
        found = reader.sql(query, SqlLimits(memory_mb=memory_mb, timeout_s=timeout_s))
    if form is Format.CSV and not as_json:
        print(found.write_csv(), end="")
        return
    result = {"columns": found.columns, "rows": found.to_dicts()}
    answer(result, [*frame_lines(found), counted(len(found), "row")], as_json or form is Format.JSON)


@app.command()
def keygen(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The private key; FILE.pub too.")] = KEY_FILE,
    as_json: AsJson = False,
) -> None:
    """Make a key that signs heads, for `journal.signing.key_file` in a config.

    The file is its owner's alone and never overwritten. Whoever verifies needs the public key only.

    Example: trade journal keygen --out keys/signing.pem
    """
    from tradingd.journal.signing import make_key, public_path

    file = out.expanduser()
    public_key = make_key(file)
    lines = [f"private key {file}, for this user only; keep it out of the journal and its copies"]
    lines += [f"public key {public_path(file)}", public_key]
    result = {"key_file": str(file), "public_key_file": str(public_path(file)), "public_key": public_key}
    answer(result, lines, as_json)


# --- following --------------------------------------------------------------------------------------------------------


def _newest(journal: Path, count: int, types: list[str], after: "Position") -> "list[Line]":
    from tradingd.audit.newest import newest_events

    with opened(journal) as reader:
        return newest_events(reader, count, after=after, types=types)


def _follow(journal: Path, types: list[str], shown: "list[Line]") -> None:
    """Opened each time anew: an open reader would keep a daemon from starting."""
    from tradingd.audit.newest import START, newest_events, position_of
    from tradingd.journal.reader import JournalReader

    at = position_of(shown[-1]) if shown else START
    try:
        while True:
            time.sleep(FOLLOW_S)
            with JournalReader.open(journal) as reader:
                lines = newest_events(reader, FOLLOWED_MAX, after=at, types=types)
            print(*_event_lines(lines), sep="\n", end="\n" if lines else "", flush=True)
            at = position_of(lines[-1]) if lines else at
    except KeyboardInterrupt:
        raise typer.Exit from None


# --- lines ------------------------------------------------------------------------------------------------------------


def _event_lines(events: "list[Line]") -> list[str]:
    return table((f"{e.seq}.{e.n}" if e.n else f"{e.seq}", e.core_time, e.type, e.text) for e in events)


def _listing_lines(found: "Listing") -> list[str]:
    head = found.head
    live = ", in use" if found.live else ""
    return [
        f"journal {found.journal_id}, created {found.created}{live}",
        f"head: epoch {head.epoch}, commit {head.commit_no}, seq {head.last_seq}, digest {head.digest}",
        *table(
            (
                segment.file,
                f"{segment.bytes / 1e6:,.1f} MB",
                "sealed" if segment.sealed else "not sealed",
                "in use" if segment.rows is None else f"seq {segment.first_seq} to {segment.last_seq}",
                ", ".join(f"{rows:,} {name}" for name, rows in (segment.rows or {}).items()),
            )
            for segment in found.segments
        ),
        *table(
            (
                f"run {run.epoch}",
                f"seq {run.seq}",
                run.resumed,
                f"code {run.code_digest}",
                f"config {run.config_digest}",
            )
            for run in found.runs
        ),
        *table(("snapshot", f"after seq {each.at_seq}", each.file) for each in found.snapshots),
    ]
