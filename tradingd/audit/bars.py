"""Bars: those that a journal recorded, and those that a feed would make."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np
import polars as pl
from msgspec.structs import replace

from tradingd.audit.errors import AuditError
from tradingd.audit.runs import runs_of
from tradingd.columns import BAR, TIMEFRAMES, BarArray, Timeframe
from tradingd.config.load import core_settings, digest
from tradingd.config.settings import Config
from tradingd.core.advance import advance
from tradingd.core.settings import CoreSettings, encode_settings
from tradingd.core.state import initial_state
from tradingd.events import Input, RunStarted
from tradingd.feeds.build import build_feed
from tradingd.journal.reader import JournalReader
from tradingd.rerun import load_library

TIMES = ("ts_open", "ts_close")
FIGURES = ("open", "high", "low", "close", "volume", "vwap", "trades")


def recorded_bars(reader: JournalReader) -> pl.DataFrame:
    """All of them, in the order in which they closed. Raises AuditError."""
    runs = runs_of(reader)
    if not runs:
        raise AuditError("the journal has no bars: it is empty, or no segment of it is sealed yet")
    columns = ", ".join(("instrument", "timeframe", *(f"{name}_ns AS {name}" for name in TIMES), *FIGURES))
    found = reader.sql(f"SELECT {columns} FROM bars ORDER BY seq, n")
    return _named(found, [each.id for each in runs[-1].names.settings.instruments])


def chosen(
    bars: pl.DataFrame, instrument: str | None, timeframe: str | None, from_ns: int | None, to_ns: int | None
) -> pl.DataFrame:
    """Bars of an instrument and a timeframe that open in [from_ns, to_ns); None = whatever.

    Raises AuditError for an instrument that has none.
    """
    known = bars["instrument"].unique().sort().to_list()
    if instrument is not None and instrument not in known:
        raise AuditError(f"there are no bars of {instrument}; there are bars of {', '.join(known) or 'nothing'}")
    for column, wanted in (("instrument", instrument), ("timeframe", timeframe)):
        bars = bars if wanted is None else bars.filter(pl.col(column) == wanted)
    opened = pl.col("ts_open").to_physical()
    bars = bars if from_ns is None else bars.filter(opened >= from_ns)
    return bars if to_ns is None else bars.filter(opened < to_ns)


async def bars_of_feed(config: Config, feed: str, timeframe: Timeframe | None, base: Path) -> pl.DataFrame:
    """Bars that a daemon would record of one feed, made by the core itself, which decides nothing meanwhile.

    With `timeframe` only these, also where the config asks for no such bars. Raises AuditError, StrategyError.
    """
    chosen_feeds = [each for each in config.feeds if each.name == feed]
    if not chosen_feeds:
        raise AuditError(f"the config has no feed {feed}; it has: {', '.join(each.name for each in config.feeds)}")
    settings = _with_bars(core_settings(config), timeframe)
    state = initial_state(settings, load_library(settings, base))
    state.warming = True
    made = [advance(state, [_begin(settings, feed)]).bars.rows]
    source = build_feed(replace(chosen_feeds[0], pace="max"), 0, settings.instruments, base)
    async with aclosing(source.batches(0)) as batches:
        async for items in batches:
            made.append(advance(state, items).bars.rows)
    bars = _named(_frame(made), [each.id for each in settings.instruments])
    return bars if timeframe is None else bars.filter(pl.col("timeframe") == timeframe)


def _with_bars(settings: CoreSettings, timeframe: Timeframe | None) -> CoreSettings:
    """A coarser bar is made of finer ones, so those of the config stay: they decide its last bits."""
    asked = tuple(dict.fromkeys([*settings.bars.timeframes, *([timeframe] if timeframe else [])]))
    return replace(settings, bars=replace(settings.bars, timeframes=asked))


def _begin(settings: CoreSettings, feed: str) -> Input:
    body = RunStarted(
        journal_id="NONE",
        epoch=1,
        config=encode_settings(settings),
        config_digest=digest(settings),
        code_digest="",
        sources=(feed,),
    )
    return Input(0, 0, "bars", body)


def _frame(parts: Sequence[BarArray]) -> pl.DataFrame:
    columns = {name: [part[name] for part in parts] for name in BAR.names or ()}
    frame = pl.DataFrame({name: np.concatenate(values) for name, values in columns.items()})
    return frame.with_columns(pl.col("vwap").fill_nan(None))


def _named(rows: pl.DataFrame, instruments: Sequence[str]) -> pl.DataFrame:
    """With ids of instruments, names of timeframes, and times in UTC."""
    return rows.select(
        _name("instrument", instruments),
        _name("timeframe", TIMEFRAMES),
        *(pl.from_epoch(name, time_unit="ns").dt.replace_time_zone("UTC") for name in TIMES),
        *FIGURES,
    )


def _name(column: str, names: Sequence[str]) -> pl.Expr:
    return pl.col(column).replace_strict(range(len(names)), list(names), return_dtype=pl.String)


def write_bars(frame: pl.DataFrame, file: Path) -> None:
    """As Parquet or CSV, by the end of the name. Raises AuditError, OSError."""
    match file.suffix:
        case ".parquet":
            frame.write_parquet(file)
        case ".csv":
            frame.write_csv(file)
        case _:
            raise AuditError(f"{file} is neither .parquet nor .csv; name the file so that its end says which")
