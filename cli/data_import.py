"""trade data import: files of many formats into the catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import frame
from .data_options import DEFAULT, Folder, Replace, SessionOption, Timeframe, pair
from .data_text import import_lines
from .options import AsJson
from .output import answer
from .reading import opened

if TYPE_CHECKING:
    from tradingd.catalogue.importing import Imported
    from tradingd.catalogue.plan import Asked
    from tradingd.catalogue.store import Catalogue


def import_data(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Of one instrument.", show_default=False)],
    instrument: Annotated[
        str, typer.Option("--instrument", "-i", metavar="ID", help="VENUE:SYMBOL; of a panel VENUE:*.")
    ],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="csv, yahoo, tradestation, freqtrade, lean, tardis, truefx, binance, dbn, panel, journal.",
        ),
    ],
    timeframe: Annotated[Timeframe | None, typer.Option("--timeframe", "-t", help="How long a bar is.")] = None,
    stamp: Annotated[
        Literal["open", "close"] | None, typer.Option(help="Which end of a bar the file's time is.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of times without an offset, like America/New_York.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="ROLE=NAME,...", help="Which column is what: ts=Date,open=Open; ts=time,price=px."),
    ] = None,
    ts_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="How times are written: iso, s, ms, us, ns or %m/%d/%Y.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="COLUMN=VALUE", help="Only such rows, of a file of many instruments.")
    ] = None,
    session: SessionOption = None,
    kind: Annotated[
        Literal["trades", "quotes"] | None,
        typer.Option(help="What to take of a journal that is not bars, or of a DBN file that has both."),
    ] = None,
    replace: Replace = False,
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing where a row is rejected.")] = False,
    catalogue: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Import files into the catalogue, with a record of where every row came from.

    Every row read becomes a row or a rejection that is counted; rows stay in the order of the file.

    Example: trade data import GOOG.csv -i US:GOOG -f yahoo --timezone America/New_York

    Example: trade data import eurusd.csv.gz -i FX:EURUSD -f csv -t 1h --stamp open --timezone UTC --columns ts=Date
    """
    from dataclasses import replace as replaced

    from tradingd.catalogue.plan import Asked
    from tradingd.catalogue.shapes import Kind
    from tradingd.catalogue.store import Catalogue

    chosen = pair(where, "--where symbol=SPY") if where else None
    asked = Asked(format_name, timeframe, stamp, timezone, ts_format, _mapping(columns), chosen, session)
    if kind is not None and format_name not in ("journal", "dbn"):
        raise frame.UsageError("--kind is for journals and DBN files; what other files hold their columns say")
    into = Catalogue(catalogue)
    if format_name == "journal":
        if strict or asked != Asked("journal", timeframe):
            raise frame.UsageError("a journal says all by itself; give it --timeframe or --kind, and nothing more")
        done = [_of_journal(into, files, instrument, kind, timeframe, replace)]
    else:
        done = _of_files(into, files, instrument, replaced(asked, kind=Kind(kind) if kind else None), replace, strict)
    answer({"imported": [_object(each) for each in done]}, import_lines(done), as_json)


def _of_files(
    into: "Catalogue", files: list[Path], instrument: str, asked: "Asked", replace: bool, strict: bool
) -> "list[Imported]":
    from tradingd.catalogue.importing import import_files
    from tradingd.catalogue.panel import PANEL, import_panel

    if asked.format == PANEL:
        return import_panel(into, _only(files), instrument, asked, replace=replace, strict=strict)
    return [import_files(into, files, instrument, asked, replace=replace, strict=strict)]


def _of_journal(
    into: "Catalogue", files: list[Path], instrument: str, kind: str | None, timeframe: str | None, replace: bool
) -> "Imported":
    from tradingd.catalogue.from_journal import import_journal
    from tradingd.catalogue.shapes import Kind

    folder = _only(files)
    with opened(folder) as reader:
        return import_journal(into, reader, folder, instrument, Kind(kind or Kind.BARS), timeframe, replace=replace)


def _only(files: list[Path]) -> Path:
    if len(files) > 1:
        raise frame.UsageError("one at a time, where it is a panel or a journal")
    return files[0]


def _mapping(text: str | None) -> dict[str, str]:
    return dict(pair(part, "--columns ts=Date,close=Close") for part in text.split(",")) if text else {}


def _object(done: "Imported") -> dict[str, object]:
    return {
        "record": done.record,
        "file": str(done.path),
        "changed": done.changed,
        "read": done.read,
        "others": done.others,
        "rejected": done.rejections.reasons,
    }
