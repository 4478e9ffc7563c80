"""A moving-average cross on recorded days gives the trades of the peer backtesting.py under the same rules.

Market orders at the next open, whole shares, no slippage, and a commission that is a rate of what is traded. What
differs by itself is the size: the peer would take the open for "all in", put the commission aside, and skip an order
that a gap has made too dear; here the close sizes, and a turn is sized after its closing, at the open. So both trade
half of the equity (`allocation`), for which there is always enough, and

- long only: the peer's strategy asks for half of its own equity at the close, in whole shares. All is compared: bars,
  sides, prices, sizes, profits, commissions, and the equity after each bar.
- long and short: no strategy of the peer knows at the close what its closing will bring at the open. It is told the
  sizes that were traded here; all else is its own, and is compared in the same way.

Where each trades all in by its own rule, the path is compared: bars, sides and prices.

Positions that are open at the end are in the equity alone. The peer counts in doubles, here are whole units.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradingd.backtesting.engine import Executed, execute
from tradingd.backtesting.settings import settings_of
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import DAY_NS

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore")]  # the peer's warnings are its own

CASH, UNIT = 100_000, 1e-6
HALF = 0.5
ALL_IN = 1 - 1e-9  # the peer takes 1 for one share
CROSSES = [(10, 20), (5, 30), (20, 50), (1, 2)]


@pytest.fixture
def peer() -> Any:
    """The module inside of it: a bare `backtesting` could be this very folder."""
    return pytest.importorskip("backtesting.backtesting", reason="the peer backtesting.py is not installed")


@pytest.fixture
def goog(realdata: Path) -> pl.DataFrame:
    return pl.read_csv(realdata / "bars/backtesting_GOOG.csv")


def own_run(goog: pl.DataFrame, fast: int, slow: int, long_only: bool, rate: float, share: float) -> Executed:
    opened = pl.Series(goog[:, 0]).str.to_date().cast(pl.Int64) * DAY_NS
    prices = {name.lower(): goog[name] for name in ("Open", "High", "Low", "Close", "Volume")}
    bars = Bars.of(pl.DataFrame({"ts_open_ns": opened, "ts_close_ns": opened + DAY_NS} | prices))
    backtest = {
        "kind": "sma_cross",
        "strategy": {"fast": fast, "slow": slow, "long_only": long_only},
        "allocation": share,
        "instrument": {
            "id": "US:GOOG",
            "asset_class": "equity",
            "tick_size": 0.01,
            "lot_size": 1.0,
            "currency": "USD",
            "fees": {"taker_rate": rate, "maker_rate": rate},
        },
        "account": {"currency": "USD", "balance": str(CASH)},
    }
    return execute(settings_of(backtest), bars, Path())


def sides_of(goog: pl.DataFrame, fast: int, slow: int, long_only: bool) -> np.ndarray[Any, Any]:
    """What a cross wants after each close; a tie wants what was wanted before."""
    above = goog["Close"].rolling_mean(fast) - goog["Close"].rolling_mean(slow)
    side = above.sign().replace(0.0, None).fill_null(strategy="forward").fill_null(0.0)
    return side.to_numpy().clip(0.0 if long_only else -1.0, 1.0)


def peer_run(
    peer: Any, goog: pl.DataFrame, sides: np.ndarray[Any, Any], size_of: Callable[[Any], float], rate: float
) -> Any:
    """The peer's statistics; `size_of` its strategy gives the size of what it opens."""
    import pandas as pd

    class Cross(peer.Strategy):
        def init(self) -> None:
            self.side = self.I(lambda: sides)
            self.before = 0.0

        def next(self) -> None:
            side, before, self.before = self.side[-1], self.before, self.side[-1]
            if side == before:
                return
            self.position.close()
            if side != 0:
                (self.buy if side > 0 else self.sell)(size=size_of(self))

    columns = {name: goog[name].to_numpy() for name in ("Open", "High", "Low", "Close", "Volume")}
    frame = pd.DataFrame(columns, index=pd.to_datetime(goog[:, 0].to_list()))
    return peer.Backtest(frame, Cross, cash=CASH, commission=rate).run()


@pytest.mark.parametrize("rate", [0.0, 0.002])
@pytest.mark.parametrize("long_only", [True, False])
@pytest.mark.parametrize(("fast", "slow"), CROSSES)
def test_trades_are_those_of_the_peer(
    peer: Any, goog: pl.DataFrame, fast: int, slow: int, long_only: bool, rate: float
) -> None:
    own = own_run(goog, fast, slow, long_only, rate, HALF)
    sizes = iter(own.trips["lots"].tolist())
    size_of = half_of_the_equity if long_only else lambda _: next(sizes)
    stats = peer_run(peer, goog, sides_of(goog, fast, slow, long_only), size_of, rate)
    trips, trades = closed(own), stats["_trades"]
    assert path_of(trips) == path_of_the_peer(trades)
    assert trips["lots"].tolist() == trades["Size"].abs().tolist()
    assert trips["fees"] * UNIT == pytest.approx(trades["Commission"].to_numpy(), abs=UNIT / 100)
    assert (trips["realized"] - trips["fees"]) * UNIT == pytest.approx(trades["PnL"].to_numpy(), abs=UNIT / 100)
    assert own.equity == pytest.approx(stats["_equity_curve"]["Equity"].to_numpy(), abs=UNIT / 100)


@pytest.mark.parametrize("long_only", [True, False])
@pytest.mark.parametrize(("fast", "slow"), CROSSES)
def test_all_in_the_path_is_that_of_the_peer(
    peer: Any, goog: pl.DataFrame, fast: int, slow: int, long_only: bool
) -> None:
    own = own_run(goog, fast, slow, long_only, 0.002, 1.0)
    stats = peer_run(peer, goog, sides_of(goog, fast, slow, long_only), lambda _: ALL_IN, 0.002)
    assert path_of(closed(own)) == path_of_the_peer(stats["_trades"])


def half_of_the_equity(strategy: Any) -> int:
    return int(strategy.equity * HALF / strategy.data.Close[-1])


def closed(own: Executed) -> np.ndarray[Any, Any]:
    return own.trips[own.trips["exit_bar"] >= 0]


def path_of(trips: np.ndarray[Any, Any]) -> list[tuple[Any, ...]]:
    names = ("entry_bar", "exit_bar", "side", "entry_price", "exit_price")
    return rounded(trips[name].tolist() for name in names)


def path_of_the_peer(trades: Any) -> list[tuple[Any, ...]]:
    names = ("EntryBar", "ExitBar", "Size", "EntryPrice", "ExitPrice")
    columns = {name: trades[name].tolist() for name in names} | {"Size": np.sign(trades["Size"]).tolist()}
    return rounded(columns.values())


def rounded(columns: Iterable[list[Any]]) -> list[tuple[Any, ...]]:
    """Rows, with prices on ticks: a mean of one price may differ in the last bit."""
    rows = [tuple(round(value, 2) for value in row) for row in zip(*columns, strict=True)]
    assert len(rows) > 15
    return rows
