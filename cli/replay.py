"""trade replay: a journal executed again, compared with what it says, or under another config."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import frame
from .options import AsJson, JournalArgument, Overrides, written_file
from .output import Mood, answer, counted, styled, table
from .reading import opened

if TYPE_CHECKING:
    from tradingd.audit.replay import Found, OtherCode, Replay
    from tradingd.audit.tally import Summary
    from tradingd.audit.what_if import WhatIf

PROGRESS_ROWS = 1_000_000


def replay(
    journal: JournalArgument,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every fact with the recorded one; 1 where one differs.")
    ] = False,
    after: Annotated[
        int,
        typer.Option(metavar="SEQ", min=0, help="Begin with the newest snapshot at or before it."),
    ] = 0,
    what_if: Annotated[
        Path | None,
        typer.Option("--what-if", metavar="CONFIG", help="Run the same inputs under this config too, side by side."),
    ] = None,
    overrides: Overrides = None,
    first: Annotated[int, typer.Option(min=0, help="How many differing decisions to show.")] = 10,
    html: Annotated[Path | None, written_file("Write the what-if as a page of one file, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Execute the recorded inputs again: bars, strategies, risk and the simulated venue.

    --set alone is a what-if with the recorded config and that change.

    Example: trade replay journal/demo --verify

    Example: trade replay journal/demo --set strategies.cross.params.fast=20
    """
    if verify and (what_if or overrides):
        raise frame.UsageError("--verify proves what was recorded, --what-if and --set ask for something else; choose")
    if after and (what_if or overrides):
        raise frame.UsageError("--what-if and --set begin with the first input; leave --after out")
    if what_if or overrides:
        _what_if(journal, what_if, overrides or [], first, html, as_json)
    elif html:
        raise frame.UsageError("--html is the page of a what-if; add --what-if or --set")
    else:
        _replay(journal, verify, after, as_json)


def _replay(journal: Path, verify: bool, after: int, as_json: bool) -> None:
    from tradingd.audit.replay import replay as replayed
    from tradingd.daemon.process import collect_less

    collect_less()
    with opened(journal) as reader:
        found = replayed(reader, verify=verify, after=after, say=_progress(reader.last_seq))
    answer(found, _lines(journal, found), as_json)
    if found.identical is False:
        raise typer.Exit(frame.NO)


def _what_if(
    journal: Path, config: Path | None, overrides: list[str], first: int, html: Path | None, as_json: bool
) -> None:
    from tradingd.audit import what_if
    from tradingd.audit.what_if_page import page

    with opened(journal) as reader:
        if config:
            alternative = what_if.from_config(reader, config, overrides)
        else:
            alternative = what_if.from_recorded(reader, overrides)
        found = what_if.what_if(reader, alternative, first=first, say=_progress(reader.last_seq))
    if html:
        html.write_text(page(str(journal), found), encoding="utf-8")
    answer(found, _side_by_side(found), as_json)


def _progress(last_seq: int) -> Callable[[int], None]:
    """A line that counts up, for a person who waits."""
    said = 0

    def say(seq: int) -> None:
        nonlocal said
        if sys.stderr.isatty() and seq - said >= PROGRESS_ROWS:
            said = seq
            print(f"\r{seq:,} of {last_seq:,}", end="\r", file=sys.stderr, flush=True)

    return say


# --- lines ------------------------------------------------------------------------------------------------------------


def _lines(journal: Path, found: "Replay") -> list[str]:
    return [*_verdict(journal, found), *_code(found.other_code), *_figures(found)]


def _verdict(journal: Path, found: "Replay") -> list[str]:
    if found.difference is not None:
        return [styled(f"{journal}: NOT identical", Mood.BAD), *_difference(found.difference)]
    if found.identical:
        since = f" from seq {found.from_seq} on" if found.from_seq > 1 else ""
        compared = f"every recorded fact{since} came out again"
        return [styled(f"{journal}: identical, {compared}", Mood.GOOD)]
    return [f"{journal}: executed again, nothing compared (--verify does)"]


def _difference(found: "Found") -> list[str]:
    rows = [
        ("first difference", f"{found.seq}.{found.n}"),
        ("recorded", found.recorded),
        ("re-executed", found.derived),
        ("event before it", found.before),
        ("its cause, input", found.cause),
    ]
    return table(rows)


def _code(other: "list[OtherCode]") -> list[str]:
    if not other:
        return []
    libraries = {name: pair for each in other for name, pair in each.libraries.items()}
    versions = "".join(f", {name} {then} then and {now} now" for name, (then, now) in libraries.items())
    where = ", ".join(str(each.seq) for each in other)
    note = f"note: the run from seq {where} was written by another version of the code or of a strategy{versions}"
    return [note, "      a difference may be the code's; `trade verify` says whether the journal was changed"]


def _figures(found: "Replay") -> list[str]:
    rate = found.summary.inputs / found.seconds if found.seconds else 0.0
    executed = f"{counted(found.summary.inputs, 'input')} in {found.seconds:.1f} s ({rate:,.0f}/s)"
    return [executed, *summary_lines(found.summary), f"state digest {found.state_digest}"]


def summary_lines(summary: "Summary") -> list[str]:
    counts = summary.counts
    named = ("Tick", "Bar", "Signal", "Decision", "OrderRequested", "OrderRefused", "OrderFilled")
    return [
        ", ".join(f"{name} {counts.get(name, 0):,}" for name in named),
        *(f"equity {each.equity} {currency}, from {each.opening}" for currency, each in summary.accounts.items()),
    ]


def _side_by_side(found: "WhatIf") -> list[str]:
    from tradingd.audit.what_if_page import HEAD, NOTE, side_by_side

    return [NOTE, *table([HEAD, *side_by_side(found)]), *_differing(found)]


def _differing(found: "WhatIf") -> list[str]:
    if not found.differing:
        return ["the decisions are the same"]
    lines = [f"{counted(found.differing, 'decision')} differ{'s' if found.differing == 1 else ''}; the first:"]
    for each in found.first:
        lines += [f"  at {each.seq}, {each.instrument}"]
        lines += [f"    recorded  {each.baseline or 'no decision'}", f"    what if   {each.what_if or 'no decision'}"]
    return lines
