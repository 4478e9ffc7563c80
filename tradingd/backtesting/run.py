"""A backtest from settings and data to a result: what `from tradingd import backtest` is."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from tradingd.backtesting.engine import execute, load
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.result import Result
from tradingd.backtesting.settings import BacktestSettings, currency_of, plain, settings_of
from tradingd.config.overrides import apply_overrides
from tradingd.feeds.bars.funding import Funding, read_funding
from tradingd.feeds.bars.table import Bars, read_bars
from tradingd.strategies.contract import StrategyError
from tradingd.strategies.loader import Strategies, load_single, misplaced

Engine = Literal["kernel", "event"]


def backtest(
    strategy: str,
    data: pl.DataFrame | str | Path,
    params: Mapping[str, bool | int | float] | None = None,
    *,
    balance: str = "100000",
    sets: Sequence[str] = (),
    base: Path = Path(),
    engine: Engine = "kernel",
    journal: Path | None = None,
    funding: pl.DataFrame | str | Path | None = None,
    **settings: Any,
) -> Result:
    """A strategy on the bars of one instrument; docs/backtesting.md has the rules.

    strategy   a built-in name, or "path/to/file.py:name" relative to `base`
    data       a frame with the columns of a catalogue's bars, or a Parquet or CSV file of them
    settings   further tables of `BacktestSettings`: instrument, account, exits, allocation, risk, simulation
    sets       "path=value", as --set takes them
    engine     "kernel", or "event": the core of the daemon, which makes the same trades more slowly
    journal    a new folder for all events, of the event engine
    funding    recorded funding rates: a frame, or a CSV, Parquet or Feather file; `Funding.of` has the columns

    The instrument has the tick size of its prices, a lot of 1, no fees and the account's currency, USD, where nothing
    else is said. Raises ConfigError, StrategyError, BarsError, BacktestError, JournalError, OSError.
    """
    if not isinstance(data, pl.DataFrame | str | Path):
        raise BacktestError(
            f"data is a {type(data).__name__}; give a Polars DataFrame or a file, and several of them to "
            "tradingd.backtesting.several.backtest_several"
        )
    bars = Bars.of(data) if isinstance(data, pl.DataFrame) else _read(Path(data), engine)
    name = "DATA:frame" if isinstance(data, pl.DataFrame) else instrument_id(Path(data))
    raw = plain({"instrument": {}, "account": {}, **settings, "kind": strategy, "strategy": dict(params or {})})
    apply_overrides(raw, sets)  # before the defaults, some of which follow from what is given
    return run(settings_of(with_defaults(raw, bars, name, balance)), bars, base, engine, journal, _rates(funding))


def run(
    settings: BacktestSettings,
    bars: Bars,
    base: Path,
    engine: Engine = "kernel",
    journal: Path | None = None,
    funding: Funding | None = None,
) -> Result:
    """Raises StrategyError, BarsError, BacktestError, JournalError."""
    if funding is not None and settings.instrument.financing.funding_rate:
        raise BacktestError("instrument.financing.funding_rate is set, and recorded rates are given; leave out one")
    if journal is not None and engine != "event":
        raise BacktestError("a journal is kept by the event engine alone; ask for that one too")
    check_bars(settings, bars)
    library = Strategies({kind: load_single(kind, base) for kind in checked_kinds(settings)})
    if engine == "kernel":
        return Result.of(settings, library, bars, execute(settings, bars, base, funding), funding)
    from tradingd.backtesting.event import execute_by_core  # the database and all, which the kernel does without

    return Result.of(settings, library, bars, execute_by_core(settings, bars, library, journal, funding), funding)


def check_bars(settings: BacktestSettings, bars: Bars) -> None:
    """Raises BarsError, BacktestError for bars that can not be traded with these settings."""
    bars.check_for(settings.instrument)
    if settings.simulation.volume_share is not None and not bars.volume.any():
        raise BacktestError("the bars have no volume, so a share of it is nothing; leave simulation.volume_share out")


def checked_kinds(settings: BacktestSettings) -> Iterator[str]:
    """The strategy and its exits. Raises StrategyError for a built-in one that is the other."""
    for kind, as_exit in [(settings.kind, False), *((leave.kind, True) for leave in settings.exits)]:
        if wrong := misplaced(kind, as_exit=as_exit):
            raise StrategyError(wrong)
        yield kind


def _rates(given: pl.DataFrame | str | Path | None) -> Funding | None:
    if given is None or isinstance(given, pl.DataFrame):
        return None if given is None else Funding.of(given)
    return read_funding(Path(given))


def _read(path: Path, engine: Engine) -> Bars:
    """Kernels are taken from the cache meanwhile; in a new process that takes as long as a million bars do."""
    with ThreadPoolExecutor(1, "bars") as beside:
        bars = beside.submit(read_bars, path)
        if engine == "kernel":
            load()
        return bars.result()


def instrument_id(path: Path) -> str:
    """What the catalogue's record beside the file says; else a name made of the file's."""
    try:
        return str(msgspec.json.decode(path.with_suffix(".json").read_bytes())["instrument"])
    except (FileNotFoundError, UnicodeDecodeError, msgspec.DecodeError, KeyError, TypeError):
        return f"DATA:{path.stem.replace(' ', '_')}"


def with_defaults(raw: dict[str, Any], bars: Bars, name: str, balance: str) -> dict[str, Any]:
    currency = currency_of(raw)
    account = {"currency": currency, "balance": balance} | raw["account"]
    instrument = {"id": name, "asset_class": "equity", "lot_size": 1, "currency": currency} | raw["instrument"]
    if "tick_size" not in instrument:
        instrument["tick_size"] = bars.tick_size()
    return raw | {"instrument": instrument, "account": account}
