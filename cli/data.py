"""trade data: a catalogue of bars, trades and quotes, made of the files that quants have."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import frame
from .data_import import import_data
from .data_options import (
    DEFAULT,
    Folder,
    Id,
    OutlierMin,
    OutlierTimes,
    Replace,
    SessionOption,
    SplitShare,
    Timeframe,
)
from .data_series import adjust, roll
from .data_text import check_lines, ls_lines, report_objects
from .options import AsJson
from .output import answer, counted

if TYPE_CHECKING:
    from tradingd.catalogue.records import Record
    from tradingd.catalogue.store import Catalogue

app = frame.group(
    "Import market data into a catalogue of Parquet files, look for what is wrong with it, resample, roll, adjust."
)

Source = Literal["1s", "1m", "5m", "15m", "30m", "1h", "4h", "trades", "quotes"]


app.command("import")(import_data)


@app.command()
def ls(catalogue: Folder = DEFAULT, as_json: AsJson = False) -> None:
    """List what the catalogue holds.

    Example: trade data ls
    """
    from tradingd.catalogue.store import Catalogue

    records = Catalogue(catalogue).records()
    answer({"catalogue": str(catalogue), "data": records}, ls_lines(catalogue, records), as_json)


@app.command()
def check(
    instruments: Annotated[
        list[str] | None, typer.Argument(metavar="[INSTRUMENT...]", help="All of them if none.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="NAME", help="Only this: 1m, 1d, trades, quotes.")
    ] = None,
    session: SessionOption = None,
    gap_bars: Annotated[int, typer.Option(metavar="N", min=1, help="A gap is so many missing bars.")] = 1,
    outlier: OutlierTimes = 20.0,
    outlier_min: OutlierMin = 0.02,
    split: SplitShare = 0.04,
    stale_bars: Annotated[int, typer.Option(metavar="N", min=2, help="So many bars of the same prices.")] = 10,
    hours_share: Annotated[
        float, typer.Option(metavar="SHARE", min=0, help="Of days at another hour, or bars outside of the session.")
    ] = 0.02,
    show: Annotated[int, typer.Option(metavar="N", min=0, help="Of each kind; 0 means all.")] = 5,
    catalogue: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Look for gaps, duplicates, outliers, splits, stale prices, impossible bars and wrong zones; change nothing.

    Exit code 1 where something is found, 0 where there are notes at most. docs/data.md has the rules.

    Example: trade data check US:GOOG --session mon-fri/09:30-16:00@America/New_York
    """
    from tradingd.catalogue.check import check as checked
    from tradingd.catalogue.findings import Limits
    from tradingd.catalogue.store import Catalogue

    limits = Limits(
        gap_bars=gap_bars,
        outlier=outlier,
        outlier_min=outlier_min,
        split=split,
        stale_bars=stale_bars,
        hours_share=hours_share,
    )
    of = Catalogue(catalogue)
    reports = [checked(record, of.read(record), session, limits) for record in _records(of, instruments or [], name)]
    answer({"checked": report_objects(reports, show or None)}, check_lines(reports, show or None), as_json)
    if not all(report.is_clean for report in reports):
        raise typer.Exit(frame.NO)


@app.command()
def resample(
    instrument: Id,
    source: Annotated[Source, typer.Option("--from", help="Bars of this timeframe, or ticks.", show_default=False)],
    target: Annotated[Timeframe, typer.Option("--to", help="The bars to make.", show_default=False)],
    session: SessionOption = None,
    keep_partial: Annotated[
        bool, typer.Option("--keep-partial", help="Also a first or last bar of which a part is missing.")
    ] = False,
    replace: Replace = False,
    catalogue: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Make longer bars of bars, trades or quotes (their mid). Where nothing was, no bar is made.

    Borders are multiples of the timeframe in UTC, a day's are its session's. With a session (given here or when
    importing) only rows inside of it count.

    Example: trade data resample BINANCE:BTCUSDT --from 1m --to 1h
    """
    from tradingd.catalogue.resampling import resample_data
    from tradingd.catalogue.store import Catalogue

    into = Catalogue(catalogue)
    done = resample_data(into, instrument, source, target, session, keep_partial=keep_partial, replace=replace)
    made = done.written.record
    state = "" if done.written.changed else ", as before"
    lines = [f"{instrument} {made.name}: {counted(made.rows, 'bar')} of {done.before:,} rows{state}", *done.lines]
    result = {"record": made, "changed": done.written.changed, "partial_ns": done.made.partial}
    answer(result | {"outside": done.made.outside, "ineligible": done.made.ineligible}, lines, as_json)


@app.command()
def clean(
    instrument: Id,
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="1m, 1d, trades, quotes.")],
    sort: Annotated[bool, typer.Option("--sort", help="By time; rows of one time keep their order.")] = False,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="The first bar of a time stays; of ticks the first of equal ones.")
    ] = False,
    drop_impossible: Annotated[
        bool, typer.Option("--drop-impossible", help="Bars with a high below a low and the like; prices of 0.")
    ] = False,
    drop_outliers: Annotated[bool, typer.Option("--drop-outliers", help="What `check` calls an outlier.")] = False,
    outlier: OutlierTimes = 20.0,
    outlier_min: OutlierMin = 0.02,
    catalogue: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove rows, on request only. The former file is kept beside, and the record says what was done.

    Example: trade data clean US:GOOG --name 1d --sort --drop-duplicates
    """
    from tradingd.catalogue.clean import DUPLICATES, IMPOSSIBLE, OUTLIERS, SORT
    from tradingd.catalogue.clean import clean as cleaned
    from tradingd.catalogue.findings import Limits
    from tradingd.catalogue.store import Catalogue

    of = Catalogue(catalogue)
    asked = {SORT: sort, DUPLICATES: drop_duplicates, IMPOSSIBLE: drop_impossible, OUTLIERS: drop_outliers}
    limits = Limits(outlier=outlier, outlier_min=outlier_min)
    done = cleaned(of, of.record(instrument, name), [step for step, wanted in asked.items() if wanted], limits)
    lines = [f"{step.name}: {counted(step.rows_before - step.rows_after, 'row')} removed" for step in done.steps]
    lines.append(f"the file from before is {done.kept}" if done.kept else "nothing changed")
    answer({"record": done.record, "steps": done.steps, "kept": done.kept and str(done.kept)}, lines, as_json)


app.command()(roll)
app.command()(adjust)


def _records(of: "Catalogue", instruments: list[str], name: str | None) -> "list[Record]":
    if name is not None and instruments:
        return [of.record(instrument, name) for instrument in instruments]
    found = [record for instrument in instruments for record in of.of(instrument)] if instruments else of.records()
    if name is not None:
        from tradingd.catalogue.names import parse_name

        found = [record for record in found if record.name == parse_name(name)]
    if not found:
        raise frame.UsageError(f"there is nothing to check in {of.folder}; `trade data ls` shows what there is")
    return found
