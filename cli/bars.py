"""trade bars: bars out of a journal, or of a feed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import frame
from .options import AsJson, Overrides, written_file
from .output import answer, counted, frame_lines, note
from .reading import opened

if TYPE_CHECKING:
    import polars as pl

Timeframe = Literal["1s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"]


def bars(
    journal: Annotated[
        Path | None, typer.Argument(metavar="[JOURNAL]", help="The journal's folder.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Make the bars of a config's feed instead.")
    ] = None,
    feed: Annotated[str | None, typer.Option(metavar="NAME", help="Which feed of the config.")] = None,
    overrides: Overrides = None,
    instrument: Annotated[
        str | None, typer.Option("--instrument", "-i", metavar="ID", help="Only of this one.")
    ] = None,
    timeframe: Annotated[
        Timeframe | None,
        typer.Option("--timeframe", "-t", help="Only these; of a feed also where the config has none."),
    ] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Bars that open at or after it.")
    ] = None,
    to_time: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Bars that open before it.")] = None,
    out: Annotated[Path | None, written_file("Write all of them as .parquet or .csv.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="Print so many of the newest; 0 means all.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Print or write bars: those that a journal recorded, or those that a feed makes (by the same code).

    Example: trade bars journal/demo -i SIM:ALFA -t 5m --out alfa.parquet

    Example: trade bars --config configs/demo.toml --feed market -t 1h
    """
    if (journal is None) == (config is None):
        raise frame.UsageError("say where the bars are: a JOURNAL, or --config FILE --feed NAME")
    found = _of_feed(config, feed, overrides or [], timeframe) if config else _recorded(journal or Path())
    _answer(_chosen(found, instrument, timeframe, from_time, to_time), out, rows, as_json)


def _recorded(journal: Path) -> "pl.DataFrame":
    from tradingd.audit.bars import recorded_bars

    with opened(journal) as reader:
        return recorded_bars(reader)


def _of_feed(config: Path, feed: str | None, overrides: list[str], timeframe: Timeframe | None) -> "pl.DataFrame":
    from tradingd.audit.bars import bars_of_feed
    from tradingd.config.load import load

    resolved = load(config, overrides)
    names = [each.name for each in resolved.feeds]
    if feed is None and len(names) > 1:
        raise frame.UsageError(f"say which feed: --feed with one of {', '.join(names)}")
    note("reading the feed ...")
    import asyncio

    return asyncio.run(bars_of_feed(resolved, feed or names[0], timeframe, config.absolute().parent))


def _chosen(
    bars: "pl.DataFrame",
    instrument: str | None,
    timeframe: Timeframe | None,
    from_time: str | None,
    to_time: str | None,
) -> "pl.DataFrame":
    from tradingd.audit.bars import chosen
    from tradingd.audit.points import parse_time_ns

    borders = [None if time is None else parse_time_ns(time) for time in (from_time, to_time)]
    return chosen(bars, instrument, timeframe, *borders)


def _answer(bars: "pl.DataFrame", out: Path | None, rows: int, as_json: bool) -> None:
    if out:
        from tradingd.audit.bars import write_bars

        write_bars(bars, out)
        answer({"bars": len(bars), "file": str(out)}, [f"{counted(len(bars), 'bar')} in {out}"], as_json)
        return
    shown = bars.tail(rows) if rows else bars
    lines = [*frame_lines(shown), f"{counted(len(shown), 'bar')} of {len(bars):,}"]
    answer({"bars": len(bars), "rows": shown.to_dicts()}, lines, as_json)
