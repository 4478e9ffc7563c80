"""Whole configs on recorded data: what the table of portfolios in docs/backtesting.md shows.

TRADINGD_REALDATA=... PYTHONPATH=tests python -m backtesting.shown_portfolios     prints the table
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tradingd.backtesting.portfolio import Portfolio, run_config
from tradingd.catalogue.importing import import_files
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.store import Catalogue
from tradingd.config.load import resolve
from tradingd.config.settings import Config

from . import shown

STOCK = {"asset_class": "equity", "lot_size": 1, "currency": "USD"}
Strategy = Callable[[Sequence[dict[str, Any]]], dict[str, Any]]
DOLLARS = {"currency": "USD", "balance": "1000000", "unit": "0.000001"}
MARGIN = {"initial_rate": 0.5, "maintenance_rate": 0.25}
CLOSE_H = 21  # UTC, of the days of the panel


def config(folder: Path, instruments: Sequence[dict[str, Any]], feed: dict[str, Any], **more: Any) -> Config:
    made = {"name": "shown", "instruments": list(instruments), "accounts": [DOLLARS], "feeds": [feed], **more}
    return resolve(made, folder)


def cross(instruments: Sequence[dict[str, Any]], timeframe: str, **params: Any) -> dict[str, Any]:
    """One strategy with an equal part of the equity for each instrument."""
    ids = [instrument["id"] for instrument in instruments]
    made = {"name": "cross", "kind": "sma_cross", "instruments": ids, "timeframe": timeframe, "params": params}
    return made | {"allocation": 1.0 / len(ids)}


def panel(realdata: Path, folder: Path) -> Config:
    """Twenty stocks, each its own trend."""
    return of_closes(realdata, folder, None, lambda ids: cross(ids, "1d", fast=50, slow=200, long_only=True))


def pair(realdata: Path, folder: Path) -> Config:
    """Two makers of lemonade, one against the other."""
    made = {"name": "pair", "kind": "pair_reversion", "instruments": ["US:KO", "US:PEP"], "timeframe": "1d"}
    return of_closes(realdata, folder, ["KO", "PEP"], lambda _: made)


def of_closes(realdata: Path, folder: Path, only: list[str] | None, strategy: Strategy) -> Config:
    """Closes of stocks, each a print at the end of its day: orders trade at the prints after them."""
    wide = pl.read_csv(realdata / "bars" / "skfolio_sp500_20stocks_daily_1990_2022.csv.gz")
    names = only or wide.columns[1:]
    days = pl.col("Date").str.to_datetime(time_unit="ns") + pl.duration(hours=CLOSE_H)
    prints = wide.unpivot(index="Date", on=names, variable_name="symbol", value_name="price").drop_nulls()
    prints.select("symbol", "price", ts=days).sort("ts", "symbol", maintain_order=True).write_parquet(
        folder / "p.parquet"
    )
    columns = {"ts_event": "ts", "symbol": "symbol", "price": "price"}
    file = {"path": "p.parquet", "venue": "US", "ts_unit": "ns", "columns": columns}
    feed = {"kind": "file", "name": "closes", "files": [file]}
    costs = {"fees": {"per_unit": 0.005}, "margin": MARGIN, "tick_size": 0.000001}
    stocks = [{"id": f"US:{name}", **STOCK, **costs} for name in names]
    risk = {
        "stale_data_ms": 10 * 86_400_000,
        "price_collar": 0.5,
        "drawdown": 0.9,
        "daily_loss": 0.5,
        "order_rate": 256,
    }
    return config(folder, stocks, feed, strategies=[strategy(stocks)], risk=risk, bars={"timeframes": ["1d"]})


def currencies(realdata: Path, folder: Path) -> Config:
    """Three instruments in one account, each its own trend."""
    return of_minutes(realdata, folder, lambda traded: cross(traded, "1m", slow=200))


def pair_of_currencies(realdata: Path, folder: Path) -> Config:
    """The same minutes, one currency against the other."""
    ids = ["OANDA:EURUSD", "OANDA:NZDUSD"]
    made = {"name": "pair", "kind": "pair_reversion", "instruments": ids, "timeframe": "1m", "params": {"period": 240}}
    return of_minutes(realdata, folder, lambda _: made)


def of_minutes(realdata: Path, folder: Path, strategy: Strategy) -> Config:
    """Minutes of three instruments in one account, at 5 % margin."""
    catalogue, files, traded = Catalogue(folder), [], []
    for one in shown.SHOWN:
        if one.instrument.startswith("OANDA:"):
            asked = Asked(**one.asked)
            done = import_files(catalogue, [realdata / one.file], one.instrument, asked, replace=False, strict=False)
            files.append({"path": str(catalogue.path(done.record)), "instrument": one.instrument, "timeframe": "1m"})
            traded.append({"id": one.instrument, "currency": "USD", **one.traded})
    feed = {"kind": "bars", "name": "minutes", "files": files}
    return config(folder, traded, feed, strategies=[strategy(traded)])


def yen(realdata: Path, folder: Path) -> Config:
    """Minutes of dollars in yen, in an account in dollars: profits are yen, and count at the same price."""
    asked = Asked(format="csv", timeframe="1m", stamp="open", timezone="UTC", columns={"ts": "timestamp"})
    catalogue, source = Catalogue(folder), realdata / "bars" / "fxcm_usdjpy_1m_bid_201302.csv.gz"
    done = import_files(catalogue, [source], "FXCM:USDJPY", asked, replace=False, strict=False)
    traded = {"id": "FXCM:USDJPY", "currency": "JPY", **shown.FX, "tick_size": 0.001}
    file = {"path": str(catalogue.path(done.record)), "instrument": "FXCM:USDJPY", "timeframe": "1m"}
    feed = {"kind": "bars", "name": "minutes", "files": [file]}
    conversion = {"into": "USD", "instrument": "FXCM:USDJPY", "inverse": True}
    accounts = [DOLLARS, {"currency": "JPY", "balance": "0", "unit": "0.01", "conversion": conversion}]
    return config(folder, [traded], feed, strategies=[cross([traded], "1m", slow=200)], accounts=accounts)


def prints(realdata: Path, folder: Path) -> Config:
    """Every print of SPY in five sessions; orders take 5 ms."""
    traded = {"id": "US:SPY", **STOCK, "tick_size": 0.01, "fees": {"per_unit": 0.005, "minimum": 1.0}, "margin": MARGIN}
    session = {"timezone": "America/New_York", "open": "09:30", "close": "16:00", "days": [0, 1, 2, 3, 4]}
    file = {
        "path": str(realdata / "ticks" / "spy_trades_2013-10-07_11.csv.gz"),
        "instrument": "US:SPY",
        "ts_unit": "ms",
    }
    columns = {"ts_event": "ts_ms", "price": "price", "size": "size"}
    feed = {"kind": "file", "name": "prints", "files": [file | {"columns": columns, "ineligible": "suspicious"}]}
    stocks = [traded | {"session": session}]
    simulation = {"latency_ms": 5.0, "slippage_ticks": 1}
    return config(folder, stocks, feed, strategies=[cross(stocks, "1m")], simulation=simulation)


SHOWN = (panel, pair, currencies, pair_of_currencies, yen, prints)


def row(name: str, portfolio: Portfolio) -> str:
    bars = sum(len(asset.bars) for asset in portfolio.assets)
    what = (shown.period(name.replace("_", " "), portfolio.equity), f"{len(portfolio.assets)}", f"{bars:,}")
    return shown.line(*what, *shown.figures(portfolio.metrics))


def table(realdata: Path, say: bool = False) -> Iterator[str]:
    for make in SHOWN:
        with tempfile.TemporaryDirectory() as folder:
            made, start = make(realdata, Path(folder)), time.perf_counter()
            portfolio = run_config(made, Path(folder))
            if say:
                print(f"{make.__name__}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
            yield row(make.__name__, portfolio)


if __name__ == "__main__":
    for each in table(Path(os.environ["TRADINGD_REALDATA"]), say=True):
        print(each)
