"""A backtest of several instruments in one account: a strategy on each of them, or one that takes them all at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from msgspec.structs import replace

from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.event import BARS_AT_ONCE, NAME, SOURCE, TOO_EARLY, as_core_settings
from tradingd.backtesting.playing import play
from tradingd.backtesting.portfolio import Portfolio, told
from tradingd.backtesting.run import check_bars, checked_kinds, instrument_id, with_defaults
from tradingd.backtesting.settings import BacktestSettings, plain, settings_of
from tradingd.columns import TIMEFRAMES
from tradingd.config.overrides import apply_overrides
from tradingd.core.advance import Item
from tradingd.core.settings import CoreSettings
from tradingd.feeds.bars.feed import bar_rows
from tradingd.feeds.bars.table import Bars, read_bars
from tradingd.feeds.merge import merge
from tradingd.feeds.rows import items_of
from tradingd.instruments import Session
from tradingd.rerun import load_library
from tradingd.strategies.loader import load_strategy

Data = Sequence[str | Path] | Mapping[str, pl.DataFrame | str | Path]


def backtest_several(
    strategy: str,
    data: Data,
    params: Mapping[str, bool | int | float] | None = None,
    *,
    balance: str = "100000",
    sets: Sequence[str] = (),
    base: Path = Path(),
    journal: Path | None = None,
    **settings: Any,
) -> Portfolio:
    """A strategy on the bars of several instruments, by the event engine; docs/backtesting.md has the rules.

    data       files of one instrument each, or frames and files by the id of their instrument; of one timeframe
    settings   as of `tradingd.backtest`; those of `instrument` count for each

    A target of 1.0 stands for an equal part of the equity, where `allocation` says nothing else; all of it where the
    strategy takes several instruments at once, in the order of `data`. Raises as `tradingd.backtest` does.
    """
    raw = plain({"instrument": {}, "account": {}, **settings, "kind": strategy, "strategy": dict(params or {})})
    apply_overrides(raw, sets)
    if not (named := _named(data)):
        raise BacktestError("data is empty; give a list of files, or frames by the id of their instrument")
    bars = [each for _, each in named]
    made = [settings_of(with_defaults(raw, each, name, balance)) for name, each in named]
    if "allocation" not in raw:
        share = _share(made[0].kind, base, len(named))
        made = [replace(each, allocation=share) for each in made]
    return _run(made, bars, base, journal)


def _run(settings: Sequence[BacktestSettings], bars: Sequence[Bars], base: Path, journal: Path | None) -> Portfolio:
    _check(settings, bars)
    core = _core_settings(settings, bars[0])
    library = load_library(core, base)
    return told(core, library, play(core, library, (SOURCE,), _batches(bars), journal))


def _named(data: Data) -> list[tuple[str, Bars]]:
    if isinstance(data, Mapping):
        return [(name, _bars(given)) for name, given in data.items()]
    if isinstance(data, str | Path) or not all(isinstance(file, str | Path) for file in data):
        raise BacktestError("data is no list of files; give that, or frames by the id of their instrument")
    return [(instrument_id(Path(file)), read_bars(Path(file))) for file in data]


def _bars(given: pl.DataFrame | str | Path) -> Bars:
    return Bars.of(given) if isinstance(given, pl.DataFrame) else read_bars(Path(given))


def _share(kind: str, base: Path, instruments: int) -> float:
    return 1.0 if load_strategy(kind, base).legs > 1 else 1.0 / instruments


def _check(settings: Sequence[BacktestSettings], bars: Sequence[Bars]) -> None:
    ids = [each.instrument.id for each in settings]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise BacktestError(f"{twice[0]} is there {len(twice)} times; each file has to be of another instrument")
    if len(lengths := {TIMEFRAMES[each.timeframe]: None for each in bars}) > 1:
        raise BacktestError(
            f"the bars are {' and '.join(lengths)}; give bars of one length, `trade data resample` makes longer ones"
        )
    if any(each.ts_open_ns[0] < 0 for each in bars):
        raise BacktestError(f"{TOO_EARLY}, and several instruments are traded by that alone")
    list(checked_kinds(settings[0]))
    for each, own in zip(settings, bars, strict=True):
        check_bars(each, own)


def _core_settings(settings: Sequence[BacktestSettings], bars: Bars) -> CoreSettings:
    """Those of one file, with the instruments of all."""
    core = as_core_settings(settings[0], bars)
    instruments = tuple(replace(each.instrument, session=Session()) for each in settings)
    ids = tuple(instrument.id for instrument in instruments)
    strategy = replace(core.strategies[0], name=_name(settings[0].kind), instruments=ids)
    return replace(core, instruments=instruments, strategies=(strategy,))


def _name(kind: str) -> str:
    """Of the strategy, where a config could have it as its name."""
    name = kind.rpartition(":")[2]
    return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name) else NAME


def _batches(bars: Sequence[Bars]) -> Iterator[Sequence[Item]]:
    streams = [bar_rows(each, index, 0, BARS_AT_ONCE) for index, each in enumerate(bars)]
    for rows in merge(streams, rows_ahead=BARS_AT_ONCE):
        yield items_of(rows, SOURCE, source=0, files=())
