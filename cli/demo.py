"""tradingd demo: a simulated trading day, then the proof of what happened."""

import asyncio
import shlex
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import frame
from .live import NEWEST, Show, live, silent
from .options import AsJson, Overrides
from .output import Mood, answer, counted, styled, table

if TYPE_CHECKING:
    from tradingd.api.messages import Status
    from tradingd.audit.newest import Line
    from tradingd.audit.replay import Replay
    from tradingd.audit.tally import Summary
    from tradingd.commit import Commit
    from tradingd.daemon.daemon import Daemon
    from tradingd.daemon.prepare import Prepared
    from tradingd.journal.verify import VerifyReport

INTERVAL_S = 0.2
SHOWN = ("OrderFilled", "OrderRefused", "Halted", "Resumed", "Anomaly")


def demo(
    journal: Annotated[
        Path, typer.Option("--journal", "-j", metavar="FOLDER", help="Where the journal goes; numbered if it exists.")
    ] = Path("journal/demo"),
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Play a simulated trading day, verify its journal, replay it, and tell what was traded and what was refused.

    Nothing leaves this machine: the market is made from a seed, the venue is simulated. No (1) where the proof fails.

    Example: tradingd demo --set feeds.market.speed=2000
    """
    folder = _fresh(journal.absolute())
    if not as_json:
        _announce(journal, folder)
    with as_file(files("tradingd.config") / "demo.toml") as config:
        prepared = _prepared(config, folder, overrides or [])
    with _showing(as_json) as show:
        newest = _play(prepared, show)
    report, found = _proof(folder)
    good = report.ok and found.identical is True
    answer(_object(folder, good, report, found), _lines(folder, report, found, newest), as_json)
    if not good:
        raise typer.Exit(frame.NO)


def _fresh(folder: Path) -> Path:
    """The folder, or the first numbered one beside it that does not exist."""
    number, found = 1, folder
    while found.exists():
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found


def _announce(wanted: Path, folder: Path) -> None:
    if folder != wanted.absolute():
        print(f"{wanted} is there already, so this day goes to {folder.name}")
    print("a simulated trading day: four stocks, three strategies (the very first start compiles for half a minute)")


# --- the day ----------------------------------------------------------------------------------------------------------


def _prepared(config: Path, folder: Path, overrides: list[str]) -> "Prepared":
    import msgspec

    from tradingd.config.load import load
    from tradingd.daemon.logs import set_up_logs
    from tradingd.daemon.prepare import prepare

    where = f"journal.folder={msgspec.json.encode(str(folder)).decode()}"
    resolved = load(config, ['daemon.log_level="error"', *overrides, where])
    set_up_logs(resolved.daemon.log_level)
    return prepare(resolved, config.parent)


def _showing(as_json: bool) -> "AbstractContextManager[Show]":
    return nullcontext(silent) if as_json else live()


def _play(prepared: "Prepared", show: Show) -> "deque[Line]":
    """Runs the daemon to its end; returns the newest events that are worth a line."""
    from tradingd.audit.newest import line_of
    from tradingd.audit.runs import Names
    from tradingd.daemon.daemon import Daemon

    newest: deque[Line] = deque(maxlen=NEWEST)
    names = Names(prepared.settings, prepared.sources)

    def published(commit: "Commit") -> None:
        worth = (event for event in commit.events[-1000:] if type(event.body).__name__ in SHOWN)
        newest.extend(line_of(event, names) for event in deque(worth, NEWEST))

    daemon = Daemon(prepared, until_done=True, published=published)
    asyncio.run(_watched(daemon, lambda status: show(status, newest)))
    return newest


async def _watched(daemon: "Daemon", show: "Callable[[Status], None]") -> None:
    async def watch() -> None:
        while True:
            show(await daemon.status())
            await asyncio.sleep(INTERVAL_S)

    watching: list[asyncio.Task[None]] = []
    try:
        await daemon.run(lambda: watching.append(asyncio.create_task(watch(), name="demo watch")))
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    show(daemon.final_status())


# --- the proof --------------------------------------------------------------------------------------------------------


def _proof(folder: Path) -> "tuple[VerifyReport, Replay]":
    from tradingd.audit.replay import replay
    from tradingd.journal.reader import JournalReader
    from tradingd.journal.verify import verify

    report = verify(folder)
    with JournalReader.open(folder) as reader:
        return report, replay(reader, verify=True)


def _object(folder: Path, good: bool, report: "VerifyReport", found: "Replay") -> dict[str, Any]:
    return {
        "ok": good,
        "journal": str(folder),
        "verified": report.ok,
        "identical": found.identical,
        "state_digest": found.state_digest,
        "summary": found.summary,
    }


def _lines(folder: Path, report: "VerifyReport", found: "Replay", newest: "deque[Line]") -> list[str]:
    verified = "every digest fits, nothing was changed" if report.ok else f"NOT as it was written: {report.fault}"
    replayed = "the same decisions, orders and fills again" if found.identical else "NOT identical"
    where = f": {found.difference}" if found.difference else ""
    return [
        *_summary_lines(found.summary),
        styled("proof", Mood.QUIET),
        styled(f"  verified  {verified}", Mood.GOOD if report.ok else Mood.BAD),
        styled(f"  replayed  {replayed}{where}", Mood.GOOD if found.identical else Mood.BAD),
        f"  {counted(found.summary.inputs, 'input')} executed again in {found.seconds:.1f} s",
        *_next_lines(folder, found.summary, newest),
    ]


def _summary_lines(summary: "Summary") -> list[str]:
    return [
        styled("traded", Mood.QUIET),
        *_indented([_TRADED_HEAD, *_traded(summary)]),
        *(f"  equity {money.equity} {name}, from {money.opening}" for name, money in summary.accounts.items()),
        styled("refused", Mood.QUIET),
        *(
            f"  {counted(r.count, 'time')} by {rule}, first at {r.seq}.{r.n}: {r.example}"
            for rule, r in summary.refused.items()
        ),
        *([] if summary.refused else ["  nothing"]),
        styled("halted", Mood.QUIET),
        *(f"  at {halt.seq}.{halt.n}: {halt.text}" for halt in summary.halts),
        *([] if summary.halts else ["  never"]),
    ]


_TRADED_HEAD = ("", "fills", "round trips", "quantity", "realised", "fees")


def _traded(summary: "Summary") -> Iterator[tuple[str, ...]]:
    for name, t in summary.traded.items():
        realized, fees = f"{t.realized} {t.currency}", f"{t.fees} {t.currency}"
        yield name, f"{t.fills:,}", f"{t.round_trips:,}", f"{t.quantity:,.12g}", realized, fees


def _indented(rows: list[tuple[str, ...]]) -> list[str]:
    return [f"  {line}" for line in table(rows)]


def _next_lines(folder: Path, summary: "Summary", newest: "deque[Line]") -> list[str]:
    refused = [f"{each.seq}.{each.n}" for each in summary.refused.values()]
    fills = [f"{line.seq}.{line.n}" for line in newest if line.type == "OrderFilled"]
    typed = shlex.quote(str(folder))
    why = [f"  trade explain {typed} {position}" for position in (*refused[:1], *fills[-1:])]
    return [f"journal {folder}", *why]
