"""A backtest from bars to frames, figures and pictures."""

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
from wavy_market import waves

from tradingd import backtest
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.result import Result
from tradingd.config.problems import ConfigError
from tradingd.feeds.bars.table import BarsError
from tradingd.strategies.contract import StrategyError

HOLDS = """
from tradingd.strategies.contract import PythonStrategy, Target
class Holds(PythonStrategy):
    def on_bar(self, state, bar, params):
        return Target(1.0)
"""
LOW = """
from tradingd.strategies.contract import compiled


@compiled(params={"part": 0.5})
def low(state, bar, params, out):
    out.target, out.limit = 1.0, bar.close * params.part
"""


@pytest.fixture(scope="module")
def crossed() -> Result:
    fees = {"taker_rate": 0.0002}
    return backtest("sma_cross", waves(), {"fast": 5, "slow": 30}, instrument={"lot_size": 0.01, "fees": fees})


def test_a_result_is_pickled_with_the_text_of_its_strategy_and_the_digest_of_the_code(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HOLDS)
    made = backtest(f"{file}:Holds", waves(), exits=[{"kind": "fixed_ratio"}])
    file.unlink()
    again = pickle.loads(pickle.dumps(made))
    assert again.to_dict() == made.to_dict()
    assert again.trades.equals(made.trades)
    assert again.stats["closed_trades"] == made.metrics.closed_trades > 0
    assert again.why_no_trades() is None
    assert again.library[f"{file}:Holds"].text == HOLDS


def test_money_is_where_it_went(crossed: Result) -> None:
    trades, equity = crossed.trades, crossed.equity
    assert len(trades) > 10
    assert equity["equity"][-1] - 100_000 == pytest.approx(trades["profit"].sum(), abs=1e-6)
    assert crossed.metrics.fees == pytest.approx(crossed.fills["fee"].sum())
    assert crossed.metrics.closed_trades == trades["exit_ts_ns"].is_not_null().sum()


def test_a_trade_that_is_open_has_no_end_and_the_profit_of_the_last_mark(crossed: Result) -> None:
    last = crossed.trades.row(-1, named=True)
    assert (last["exit_ts_ns"], last["exit_price"], last["reason"]) == (None, None, None)
    sign = 1 if last["side"] == "long" else -1
    moved = (crossed.bars.close[-1] - last["entry_price"]) * last["quantity"] * sign
    assert last["profit"] == pytest.approx(moved - last["fees"], abs=1e-5)


def test_what_holding_costs_is_in_equity_and_in_no_trade(crossed: Result) -> None:
    instrument = {"lot_size": 0.01, "fees": {"taker_rate": 0.0002}, "asset_class": "perpetual"}
    funded = instrument | {"financing": {"borrow_rate": 0.01, "funding_rate": 0.0001, "funding_interval_h": 24}}
    held = backtest("sma_cross", waves(), {"fast": 5, "slow": 30}, instrument=funded)
    m = held.metrics
    assert m.financing == pytest.approx(m.borrow + m.funding + m.interest) != 0
    earned = held.trades["profit"].sum()
    assert held.equity["equity"][-1] - 100_000 == pytest.approx(earned - m.financing, abs=1e-4)
    assert crossed.metrics.financing == 0.0


def test_one_trade_ends_before_the_next_begins(crossed: Result) -> None:
    trades = crossed.trades
    assert (trades["entry_ts_ns"][1:] >= trades["exit_ts_ns"][:-1]).all()
    assert trades["exit_ts_ns"][0] == crossed.bars.ts_open_ns[crossed.executed.trips["exit_bar"][0]]


def test_excursions_surround_the_outcome(crossed: Result) -> None:
    closed = crossed.trades.drop_nulls("exit_price")
    sign = np.where(closed["side"] == "long", 1.0, -1.0)
    moved = sign * (closed["exit_price"] / closed["entry_price"] - 1).to_numpy()
    assert (closed["mae"].to_numpy() <= moved + 1e-12).all()
    assert (moved <= closed["mfe"].to_numpy() + 1e-12).all()


def test_positions_are_those_of_the_fills(crossed: Result) -> None:
    ends = crossed.fills.group_by("bar", maintain_order=True).agg(pl.col("quantity").sum())
    position = np.zeros(len(crossed.bars))
    position[ends["bar"].to_numpy()] = ends["quantity"].to_numpy()
    np.testing.assert_allclose(np.cumsum(position), crossed.equity["position"].to_numpy(), atol=1e-9)


def test_nothing_is_known_before_it_happens() -> None:
    """The same bars and then others: what was traded before stays."""
    frame = waves()
    whole = backtest("mean_reversion", frame, exits=[{"kind": "trailing_atr"}]).fills
    for rows in (300, 777, 1500):
        part = backtest("mean_reversion", frame.head(rows), exits=[{"kind": "trailing_atr"}]).fills
        assert part.equals(whole.filter(pl.col("bar") < rows))


def test_the_same_again_and_what_makes_it_another(crossed: Result) -> None:
    again = backtest("sma_cross", waves(), {"fast": 5, "slow": 30}, sets=["instrument.lot_size=0.01"])
    assert (again.code, again.data) == (crossed.code, crossed.data)
    assert again.metrics != crossed.metrics  # no fees
    assert backtest("sma_cross", waves(1999), {"fast": 5, "slow": 30}).data != crossed.data


def test_what_programs_read(crossed: Result) -> None:
    found = json.loads(json.dumps(crossed.to_dict()))
    keys = ["strategy", "instrument", "from_ns", "to_ns", "metrics", "settings", "code_digest", "data_digest"]
    assert list(found) == keys
    assert found["settings"]["instrument"]["tick_size"] == 0.01
    assert found["metrics"]["closed_trades"] == crossed.metrics.closed_trades


def test_a_notebook_sees_a_picture_and_figures(crossed: Result) -> None:
    shown = crossed._repr_html_()
    assert shown.startswith("<svg") and "<table>" in shown and "sharpe" in shown
    assert crossed.plot()._repr_html_() == str(crossed.plot())
    assert "http" not in shown


@pytest.mark.parametrize(
    ("params", "balance", "rows", "said"),
    [
        ({"fast": 500, "slow": 5000}, "100000", 2000, "needs 5,000 bars before it decides; 2,000 are there"),
        ({}, "10", 2000, "less than one lot of 1 at"),
        ({"long_only": True}, "100000", 51, "never wanted a position in 51 bars"),
    ],
)
def test_no_trade_is_explained(params: dict[str, int], balance: str, rows: int, said: str) -> None:
    frame = waves(rows)
    if rows == 51:
        frame = frame.with_columns((200 - pl.col(name)).alias(name) for name in ("open", "close"))
        frame = frame.with_columns(high=pl.max_horizontal("open", "close"), low=pl.min_horizontal("open", "close"))
    result = backtest("sma_cross", frame, params, balance=balance)
    assert said in (result.why_no_trades() or "")
    assert result.trades.is_empty() and result.metrics.closed_trades == 0


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_no_trade_after_the_end_of_the_instrument_is_explained(engine: Literal["kernel", "event"]) -> None:
    frame = waves()
    traded = backtest("sma_cross", frame, engine=engine)
    first = datetime.fromtimestamp(traded.trades["entry_ts_ns"][0] / 10**9, UTC).isoformat()
    ended = backtest("sma_cross", frame, engine=engine, instrument={"expires": first})
    assert ended.why_no_trades() == f"no trades: DATA:frame expires at {first}, before sma_cross trades"


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_no_trade_at_a_price_that_was_never_met_is_explained(
    tmp_path: Path, engine: Literal["kernel", "event"]
) -> None:
    (tmp_path / "low.py").write_text(LOW)
    said = backtest("low.py:low", waves(), base=tmp_path, engine=engine).why_no_trades()
    assert str(said).endswith(", or waited for a limit or a trigger that was not met")
    assert "waited" not in str(backtest("sma_cross", waves(), balance="10").why_no_trades())


def test_numbers_of_notebooks_are_numbers() -> None:
    assert backtest("sma_cross", waves(), {"fast": np.int64(5)}).settings.strategy == {"fast": 5}


def test_data_that_would_be_traded_at_other_prices_or_can_not_be_read() -> None:
    fallen = waves().with_columns(pl.col("open", "high", "low", "close") - 100)
    with pytest.raises(BarsError, match=r"bar \d+ has a low of -.*set instrument.negative_prices=true"):
        backtest("sma_cross", fallen)
    assert len(backtest("sma_cross", fallen, instrument={"negative_prices": True}).fills)
    with pytest.raises(BacktestError, match="data is a LazyFrame; give a Polars DataFrame or a file"):
        backtest("sma_cross", waves().lazy())


def test_money_that_does_not_fit_is_said_and_never_wraps() -> None:
    risen = waves().with_columns((pl.col("open", "high", "low", "close") * 1.004 ** pl.row_index()).round(2))
    with pytest.raises(BacktestError, match=r"bar \d+: an amount does not fit"):
        backtest("sma_cross", risen, {"long_only": True}, balance="2300000000000")


def test_what_is_wrong_is_said(crossed: Result) -> None:
    assert crossed.why_no_trades() is None
    with pytest.raises(ConfigError, match=r"instrument.tick: unknown key, did you mean \"tick_size\"\?"):
        backtest("sma_cross", waves(), instrument={"tick": 1})
    with pytest.raises(ConfigError, match=r"account.currency: is USD; the instrument's is EUR"):
        backtest("sma_cross", waves(), sets=['instrument.currency="EUR"', 'account.currency="USD"'])
    with pytest.raises(ConfigError, match=r"account\.balance: has to be above 0"):
        backtest("sma_cross", waves(), balance="0")
    with pytest.raises(
        BacktestError, match=r"no volume, so a share of it is nothing; leave simulation.volume_share out"
    ):
        backtest("sma_cross", waves().with_columns(volume=0.0), simulation={"volume_share": 0.1})
    thin = backtest("sma_cross", waves().with_columns(volume=1.0), simulation={"volume_share": 0.1})
    assert str(thin.why_no_trades()).endswith("or a lot more than 0.1 of the volume of its bars")
    with pytest.raises(
        ConfigError, match=r"fast: unknown key; a parameter of the strategy is strategy\.fast \(known: "
    ):
        backtest("sma_cross", waves(), fast=5)
    with pytest.raises(StrategyError, match='"trailing_atr" is an exit; it goes into the exits of a strategy'):
        backtest("trailing_atr", waves())
    with pytest.raises(
        StrategyError, match='"coin_flip" is a strategy; exits are fixed_ratio, trailing_atr or your own'
    ):
        backtest("sma_cross", waves(), exits=[{"kind": "coin_flip"}])
    with pytest.raises(StrategyError, match="has no parameter 'fasst'"):
        backtest("sma_cross", waves(), {"fasst": 1})


def test_a_currency_that_is_set_is_that_of_the_instrument_too() -> None:
    for given in ("account.currency", "instrument.currency"):
        result = backtest("sma_cross", waves(), {"fast": 3, "slow": 8}, sets=[f'{given}="EUR"'])
        assert (result.account.currency, result.instrument.currency) == ("EUR", "EUR")
        assert backtest("sma_cross", waves(), instrument=result.instrument).instrument.currency == "EUR"
