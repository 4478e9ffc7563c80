"""Recorded funding of a perpetual: all engines charge the same, which is what pencil and paper say."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tradingd_cli.engines import by_daemon

from tradingd import backtest
from tradingd.backtesting.event import execute_by_core
from tradingd.backtesting.parity import difference
from tradingd.backtesting.result import Result
from tradingd.catalogue.importing import import_files
from tradingd.catalogue.plan import Asked
from tradingd.catalogue.store import Catalogue
from tradingd.kernels.financing import FUNDING

pytestmark = pytest.mark.realdata
BARS, RATES = "bars/freqtrade_XRP_USDT_USDT-5m-futures.feather", "bars/freqtrade_XRP_USDT_USDT-8h-funding_rate.feather"
PERPETUAL = {
    "asset_class": "perpetual",
    "tick_size": 0.0001,
    "lot_size": 0.1,
    "currency": "USDT",
    "fees": {"taker_rate": 0.0004},
    "margin": {"initial_rate": 0.1, "maintenance_rate": 0.05},
}


@pytest.fixture(scope="module")
def run(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    catalogue = Catalogue(tmp_path_factory.mktemp("catalogue"))
    asked = Asked(format="freqtrade", timeframe="5m")
    done = import_files(catalogue, [realdata / BARS], "BINANCE:XRPUSDT", asked, replace=False, strict=False)
    data = catalogue.path(done.record)
    return backtest("sma_cross", data, instrument=PERPETUAL, funding=realdata / RATES)


def test_the_sum_is_that_of_the_positions_at_the_instants(run: Result, realdata: Path) -> None:
    rates = pl.read_ipc(realdata / RATES).with_columns(pl.col("date").dt.truncate("8h").dt.epoch("ns"))
    lots = np.append(0, run.executed.lots)
    paid = 0
    for ts_ns, rate in rates.select("date", "open").rows():
        if ts_ns in run.bars.ts_open_ns:
            bar = int(np.searchsorted(run.bars.ts_open_ns, ts_ns))
            paid += round(round(run.bars.close[bar - 1] * (lots[bar] / 10) * 1_000_000) * rate)
    postings = run.executed.postings
    assert np.all(postings["kind"] == FUNDING)
    assert len(postings) == 12  # from the 18th to the 21st, three a day
    assert paid == -postings["change"].sum() != 0


def test_all_engines_charge_the_same(run: Result) -> None:
    by_core = execute_by_core(run.settings, run.bars, run.library, funding=run.funding)
    assert difference(run.executed, by_core) is None
    assert difference(run.executed, by_daemon(run, Path())) is None
