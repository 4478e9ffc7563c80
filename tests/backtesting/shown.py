"""Backtests of recorded markets: imported, run and told as the table in docs/backtesting.md.

TRADINGD_REALDATA=... PYTHONPATH=tests python -m backtesting.shown     prints the table
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tradingd import backtest
from tradingd.backtesting.metrics import Metrics
from tradingd.backtesting.result import Result
from tradingd.catalogue.importing import import_files
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.store import Catalogue

CAPITALS = {name: name.capitalize() for name in ("open", "high", "low", "close", "volume")}
BIDS = {"ts": "ts_ms"} | {name: f"bid_{name}" for name in ("open", "high", "low", "close")}
STOCKS: dict[str, Any] = {
    "asset_class": "equity",
    "fees": {"per_unit": 0.005, "minimum": 1.0},
    "margin": {"initial_rate": 0.5, "maintenance_rate": 0.25},
}
NEW_YORK = "mon-fri/09:30-16:00@America/New_York"
MINUTES: dict[str, Any] = {"format": "csv", "timeframe": "1m", "stamp": "open", "ts_format": "ms"}
FX: dict[str, Any] = {
    "asset_class": "fx",
    "tick_size": 0.00001,
    "lot_size": 1000,
    "margin": {"initial_rate": 0.05, "maintenance_rate": 0.025},
}
EXITS = [{"kind": "fixed_ratio"}]
CROSS, REVERT = "sma_cross", "mean_reversion"


@dataclass(frozen=True)
class Shown:
    instrument: str
    file: str
    asked: dict[str, Any]
    strategy: str
    params: dict[str, Any] = field(default_factory=dict)
    traded: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def _stock(symbol: str) -> Shown:
    asked = MINUTES | {"columns": {"ts": "ts_ms"}, "where": ("symbol", symbol), "session": NEW_YORK}
    file = "bars/us_equities_1m_2013-10-04_11.csv.gz"
    return Shown(f"US:{symbol}", file, asked, REVERT, {}, STOCKS | {"tick_size": 0.01}, {"exits": EXITS})


def _currency(symbol: str, tick: float, lot: float, spread_ticks: int) -> Shown:
    asked = MINUTES | {"columns": BIDS, "where": ("symbol", symbol)}
    file = "bars/oanda_eurusd_nzdusd_xauusd_1m_2014-05-01_15.csv.gz"
    traded = FX | {"tick_size": tick, "lot_size": lot, "spread_ticks": spread_ticks, "recorded_side": "bid"}
    return Shown(f"OANDA:{symbol}", file, asked, CROSS, {"slow": 200}, traded)


def _ether(simulation: dict[str, Any]) -> Shown:
    return Shown(
        "BINANCE:ETHBTC",
        "bars/freqtrade_ETH_BTC-5m.feather",
        {"format": "freqtrade", "timeframe": "5m"},
        REVERT,
        {},
        {"asset_class": "spot", "lot_size": 0.001, "currency": "BTC", "fees": {"taker_rate": 0.001}},
        {"account": {"currency": "BTC", "balance": "10", "unit": "0.00000001"}, "simulation": simulation},
    )


SHOWN = (
    Shown(
        "US:GOOG", "bars/backtesting_GOOG.csv", {"format": "yahoo", "columns": {"ts": ""}, "session": NEW_YORK}, CROSS
    ),
    Shown(
        "FX:EURUSD",
        "bars/backtesting_EURUSD.csv",
        {"format": "csv", "timeframe": "1h", "stamp": "open", "timezone": "UTC", "columns": {"ts": "", **CAPITALS}},
        CROSS,
        {},
        FX,
        {"risk": {"max_leverage": 5.0}, "exits": [{"kind": "trailing_atr"}]},
    ),
    *map(_stock, ("SPY", "IBM", "BAC", "AIG")),
    _currency("EURUSD", 0.00001, 1000, spread_ticks=10),
    _currency("NZDUSD", 0.00001, 1000, spread_ticks=15),
    _currency("XAUUSD", 0.001, 1, spread_ticks=300),
    Shown(
        "CME:6EH4",
        "bars/cme_6EH4_1m_202401.csv.gz",
        {"format": "csv", "timeframe": "1m", "stamp": "open", "timezone": "UTC", "columns": {"ts": "timestamp_utc"}},
        CROSS,
        {"fast": 30, "slow": 240},
        {
            "asset_class": "future",
            "tick_size": 0.00005,
            "multiplier": 125_000,
            "fees": {"per_unit": 2.0},
            "margin": {"initial_rate": 0.02, "maintenance_rate": 0.018},
        },
        {"balance": "1000000"},
    ),
    Shown(
        "CME:ESZ3",
        "bars/cme_es_1m.csv.gz",
        MINUTES | {"columns": {"ts": "ts_ms"}, "where": ("symbol", "ES201312")},
        REVERT,
        {},
        {
            "asset_class": "future",
            "tick_size": 0.25,
            "multiplier": 50,
            "fees": {"per_unit": 2.0},
            "margin": {"initial_rate": 0.05, "maintenance_rate": 0.045},
        },
        {"balance": "1000000", "simulation": {"slippage_ticks": 1}},
    ),
    Shown(
        "NYMEX:CL",
        "bars/arblab_cl.csv.gz",
        {
            "format": "csv",
            "timeframe": "1d",
            "stamp": "open",
            "timezone": "America/New_York",
            "ts_format": "%m/%d/%Y",
            "columns": {"ts": "Dates", "open": "PX_OPEN", "high": "PX_HIGH", "low": "PX_LOW", "close": "PX_LAST"},
        },
        CROSS,
        {},
        {
            "asset_class": "future",
            "tick_size": 0.01,
            "multiplier": 1000,
            "negative_prices": True,
            "margin": {"initial_rate": 0.1, "maintenance_rate": 0.08},
        },
    ),
    _ether({}),
    _ether({"volume_share": 0.1}),
)


def run(shown: Shown, realdata: Path, catalogue: Catalogue) -> Result:
    files, asked = [realdata / shown.file], Asked(**shown.asked)
    done = import_files(catalogue, files, shown.instrument, asked, replace=True, strict=False)
    data = catalogue.path(done.record)
    return backtest(shown.strategy, data, shown.params, instrument=shown.traded, **shown.more)


def row(shown: Shown, result: Result) -> str:
    params = "".join(f" {name}={value}" for name, value in shown.params.items())
    exits = "".join(f", `{leave['kind']}`" for leave in shown.more.get("exits", ()))
    exits += "".join(f", {name}={value}" for name, value in shown.more.get("simulation", {}).items())
    what = (period(shown.instrument, result.equity), f"{result.metrics.bars:,}", f"`{shown.strategy}`{params}{exits}")
    return line(*what, *figures(result.metrics))


def period(name: str, equity: pl.DataFrame) -> str:
    return f"{name}, {equity['ts'][0]:%Y-%m} to {equity['ts'][-1]:%Y-%m}"


def figures(m: Metrics) -> tuple[str, ...]:
    """Trades, won, return, max drawdown, fees / balance."""
    fractions = (m.total_return or 0.0, m.max_drawdown or 0.0, m.fees / m.initial_equity)
    return f"{m.closed_trades:,}", f"{m.win_rate or 0.0:.0%}", *(f"{each:.1%}" for each in fractions)


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(realdata: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        for shown in SHOWN:
            yield row(shown, run(shown, realdata, Catalogue(Path(folder))))


if __name__ == "__main__":
    for each in table(Path(os.environ["TRADINGD_REALDATA"])):
        print(each)
