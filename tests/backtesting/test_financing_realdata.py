"""What holding costs on recorded markets: all engines charge and settle the same, as pencil and paper say."""

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

from . import shown

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
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return Catalogue(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="module")
def run(realdata: Path, catalogue: Catalogue) -> Result:
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


def test_a_future_that_expires(realdata: Path, catalogue: Catalogue) -> None:
    """The contract of March, as if it had ended in January: of what comes later nothing is traded."""
    one = next(one for one in shown.SHOWN if one.instrument == "CME:6EH4")
    asked = Asked(**one.asked)
    done = import_files(catalogue, [realdata / one.file], one.instrument, asked, replace=False, strict=False)
    traded = one.traded | {"expires": "2024-01-19T16:16:00+01:00"}
    result = backtest(one.strategy, catalogue.path(done.record), one.params, instrument=traded, **one.more)
    last = result.fills.row(-1, named=True)
    assert (last["reason"], last["fee"], result.equity["position"][-1]) == ("expiry", 0.0, 0.0)
    before = int(np.searchsorted(result.bars.ts_open_ns, result.instrument.expires_ns)) - 1
    assert last["price"] == result.bars.close[before]
    assert result.trades["reason"][-1] == "expiry"
    assert difference(result.executed, execute_by_core(result.settings, result.bars, result.library)) is None
    assert difference(result.executed, by_daemon(result, Path())) is None
