"""Several files are several instruments in one account: the trades of one file, and those of a config."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from wavy_market import MINUTE, waves

from tradingd import backtest
from tradingd.audit.replay import replay
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.portfolio import run_config
from tradingd.backtesting.several import backtest_several
from tradingd.config.load import resolve
from tradingd.feeds.bars.table import BarsError
from tradingd.journal.reader import JournalReader
from tradingd.strategies.contract import StrategyError

STOP = [{"kind": "trailing_atr", "params": {"multiple": 4.0}}]


def flat(rows: int = 2000) -> pl.DataFrame:
    """One that nothing is done in: its averages never cross."""
    prices = [pl.lit(50.0).alias(name) for name in ("open", "high", "low", "close")]
    return waves(rows).with_columns(prices)


def shifted(frame: pl.DataFrame) -> pl.DataFrame:
    """The same market at other prices, later by some minutes."""
    prices = [pl.col(name) * 2 for name in ("open", "high", "low", "close")]
    return frame.with_columns(prices).with_columns(pl.col("ts_open_ns", "ts_close_ns") + 7 * MINUTE)


def files(folder: Path, *frames: pl.DataFrame) -> list[Path]:
    paths = [folder / f"{name}.parquet" for name, _ in zip("abc", frames, strict=False)]
    for path, frame in zip(paths, frames, strict=True):
        frame.write_parquet(path)
    return paths


@pytest.mark.parametrize("flat_first", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"exits": STOP, "risk": {"risk_per_trade": 0.01, "max_leverage": 2.0}, "time_in_force": "Day"},
        {"instrument": {"fees": {"taker_rate": 0.001}, "spread_ticks": 2}, "simulation": {"slippage_ticks": 1}},
    ],
)
def test_one_beside_another_that_never_trades_trades_as_alone(settings: dict[str, Any], flat_first: bool) -> None:
    alone = backtest(
        "sma_cross", waves(), instrument={"id": "X:A", **settings.get("instrument", {})}, **_less(settings)
    )
    data = {"X:A": waves(), "X:B": flat()}
    data = dict(reversed(data.items())) if flat_first else data
    both = backtest_several("sma_cross", data, allocation=1.0, **settings)
    traded = next(asset for asset in both.assets if asset.instrument.id == "X:A")
    assert alone.fills.height > 20
    assert traded.fills.equals(alone.fills)
    assert both.trades.drop("instrument").equals(alone.trades)
    assert np.array_equal(both.equity["equity"].to_numpy(), alone.equity["equity"].to_numpy())


def _less(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in settings.items() if name != "instrument"}


@pytest.mark.parametrize("kind", ["sma_cross", "pair_reversion"])
def test_it_is_the_config_of_the_same(kind: str, tmp_path: Path) -> None:
    paths = files(tmp_path, waves(), shifted(waves()))
    several = backtest_several(kind, paths, sets=["instrument.fees.taker_rate=0.0005"])
    raw = msgspec.to_builtins(several.core)
    for instrument in raw["instruments"]:
        del instrument["session"]
    named = [
        {"path": str(path), "instrument": name, "timeframe": "1m"}
        for path, name in zip(paths, ["DATA:a", "DATA:b"], strict=True)
    ]
    feeds = [{"kind": "bars", "name": "bars", "files": named}]
    told = run_config(resolve(raw | {"name": "same", "feeds": feeds}, tmp_path), tmp_path)
    assert several.trades.height > 20
    assert several.to_dict() == told.to_dict()
    assert several.equity.equals(told.equity)


def test_each_has_an_equal_part_and_a_strategy_of_several_all_of_it(tmp_path: Path) -> None:
    paths = files(tmp_path, waves(), shifted(waves()))
    each = backtest_several("sma_cross", paths)
    assert each.core.strategies[0].allocation == 0.5
    assert each.equity["exposure"].max() == pytest.approx(1.0, abs=0.1)
    assert [asset.instrument.tick_size for asset in each.assets] == [0.01, 0.01]
    assert backtest_several("pair_reversion", paths).core.strategies[0].allocation == 1.0
    assert backtest_several("sma_cross", paths, sets=["allocation=0.3"]).core.strategies[0].allocation == 0.3


def test_money_is_told_in_units_without_the_noise_of_doubles(tmp_path: Path) -> None:
    sets = ["instrument.fees.per_unit=0.005", "instrument.fees.minimum=1.0", 'account.unit="0.0001"']
    sets += ["instrument.financing.borrow_rate=0.1", "account.debit_rate=0.07", "account.interest_rate=0.03"]
    portfolio = backtest_several("sma_cross", files(tmp_path, waves(5000), shifted(waves(5000))), sets=sets)
    told, alone = portfolio.to_dict(), backtest("sma_cross", waves(), sets=sets).stats
    figures = ("fees", "borrow", "interest", "final_equity")
    money = [each[name] for each in (told["metrics"], alone, *told["assets"].values()) for name in figures]
    money += portfolio.equity["equity"].to_list()
    assert told["metrics"]["fees"] > 100.0 and told["metrics"]["borrow"] > 0.0 and told["metrics"]["interest"] != 0.0
    assert [each for each in money if each != float(f"{each:.4f}")] == []


def test_its_journal_is_proof(tmp_path: Path) -> None:
    data = {"X:A": waves(400), "X:B": shifted(waves(400))}
    portfolio = backtest_several("sma_cross", data, {"fast": 5, "slow": 20}, journal=tmp_path / "journal")
    with JournalReader.open(tmp_path / "journal") as reader:
        proof = replay(reader, verify=True)
    assert proof.identical
    assert portfolio.metrics.final_equity == pytest.approx(float(proof.summary.accounts["USD"].equity), rel=1e-4)


EARLY = waves().with_columns(pl.col("ts_open_ns", "ts_close_ns") - MINUTE)
HOURS = waves().with_columns(pl.col("ts_open_ns", "ts_close_ns") * 60)


@pytest.mark.parametrize(
    ("kind", "data", "error", "said"),
    [
        ("sma_cross", {"X:A": waves(), "X:B": HOURS}, BacktestError, "the bars are 1m and 1h; give bars of one length"),
        ("sma_cross", {"X:A": waves(), "X:B": EARLY}, BacktestError, "no time before 1970, and several"),
        ("sma_cross", {}, BacktestError, "data is empty"),
        ("sma_cross", [waves(), waves()], BacktestError, "data is no list of files"),
        ("sma_cross", "a.parquet", BacktestError, "data is no list of files"),
        ("sma_cross", ["none.parquet", "x.csv"], BarsError, "none.parquet is no file"),
        (
            "pair_reversion",
            {"X:A": waves(), "X:B": flat(), "X:C": flat()},
            StrategyError,
            "takes 2 instruments .* has 3",
        ),
        ("fixed_ratio", {"X:A": waves(), "X:B": flat()}, StrategyError, "is an exit"),
    ],
)
def test_what_can_not_be_is_one_line(kind: str, data: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        backtest_several(kind, data)


def test_a_file_twice_is_one_line(tmp_path: Path) -> None:
    (path,) = files(tmp_path, waves())
    with pytest.raises(BacktestError, match="DATA:a is there 2 times; each file has to be of another instrument"):
        backtest_several("sma_cross", [path, path])


def test_a_list_given_to_backtest_is_told_where_it_goes() -> None:
    data: Any = ["a.parquet", "b.parquet"]
    with pytest.raises(BacktestError, match=r"data is a list; .*backtest_several"):
        backtest("sma_cross", data)
