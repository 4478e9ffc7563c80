"""A whole config over recorded data does what a daemon with it does."""

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_day import CONFIG, journal_of, play_config, write_config

from tradingd import backtest
from tradingd.audit.replay import replay
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.portfolio import Portfolio, backtest_config, run_config
from tradingd.backtesting.report import page
from tradingd.config.load import resolve
from tradingd.config.settings import Config
from tradingd.events import AccountChanged, Event, OrderFilled
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify

from . import shown_portfolios
from .test_shown import DOC

MINUTE = 60_000_000_000
SHOWN = ("| panel", "| pair", "| currencies", "| yen", "| prints")


def fills_of(journal: Path) -> list[tuple[object, ...]]:
    """Without the ClOrdIDs, which name their journal."""
    with JournalReader.open(journal) as reader:
        fills: list[Event] = [*reader.events(OrderFilled)]
    return [
        (event.seq, event.ts_received_ns, body.instrument, body.side, body.last_qty, body.last_px, body.fee)
        for event in fills
        if isinstance(body := event.body, OrderFilled)
    ]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Portfolio]:
    """A config, and its backtest with the journal beside it."""
    folder = tmp_path_factory.mktemp("portfolio")
    path = write_config(folder)
    return path, backtest_config(path, journal=folder / "backtest")


def test_it_makes_the_fills_of_the_daemon(played: tuple[Path, Portfolio]) -> None:
    path, portfolio = played
    play_config(path)
    by_daemon = fills_of(journal_of(path))
    assert len(by_daemon) == sum(len(asset.executed.fills) for asset in portfolio.assets) > 20
    assert fills_of(path.parent / "backtest") == by_daemon


def test_what_holding_costs_is_in_equity_and_in_no_trade(tmp_path: Path) -> None:
    """Funding each hour and interest at midnight: of the instruments, and of the account that they share."""
    path = write_config(tmp_path)
    sets = ["instruments.0.financing={borrow_rate=0.5, funding_rate=0.001, funding_interval_h=1}"]
    sets += ["accounts.USD.interest_rate=0.05", 'feeds.0.start="2025-03-03T23:57:00Z"']
    portfolio = backtest_config(path, sets, tmp_path / "journal")
    with JournalReader.open(tmp_path / "journal") as reader:
        proof = replay(reader, verify=True)
        posted = [e.body for e in reader.events(AccountChanged) if isinstance(e.body, AccountChanged)]
    assert proof.identical
    charged = [body for body in posted if body.reason not in ("realized", "fee")]
    assert charged
    assert portfolio.metrics.financing == pytest.approx(-sum(body.change for body in charged) / 1e6)
    fills = np.concatenate([asset.executed.fills for asset in portfolio.assets])
    earned = (fills["realized"].sum() - fills["fee"].sum()) / 1e6
    balance = float(proof.summary.accounts["USD"].balance)
    assert balance == pytest.approx(portfolio.initial + earned - portfolio.metrics.financing)
    assert portfolio.metrics.final_equity == pytest.approx(float(proof.summary.accounts["USD"].equity), rel=1e-4)


def test_its_equity_is_that_of_the_ledger(played: tuple[Path, Portfolio]) -> None:
    path, portfolio = played
    assert verify(path.parent / "backtest").fault is None
    with JournalReader.open(path.parent / "backtest") as reader:
        proof = replay(reader, verify=True)
    assert proof.identical
    fills = np.concatenate([asset.executed.fills for asset in portfolio.assets])
    balance = portfolio.account.balance_units + fills["realized"].sum() - fills["fee"].sum()
    assert proof.summary.accounts["USD"].balance == f"{balance / 1e6:f}".rstrip("0")
    # all is marked at its newest close; the ledger marks at the newest tick, which is of the same bar or the next one
    assert portfolio.metrics.final_equity == pytest.approx(float(proof.summary.accounts["USD"].equity), rel=1e-4)


def test_assets_add_up(played: tuple[Path, Portfolio]) -> None:
    portfolio = played[1]
    assert [asset.instrument.id for asset in portfolio.assets] == ["SIM:ALFA", "SIM:BETA"]
    assert portfolio.trades.height == sum(asset.trades.height for asset in portfolio.assets)
    gains = [asset.executed.equity[-1] - portfolio.initial for asset in portfolio.assets]
    assert portfolio.equity["equity"][-1] == pytest.approx(portfolio.initial + sum(gains))
    assert np.all(portfolio.equity["exposure"].to_numpy() <= 1.0)
    assert portfolio.equity["ts"].is_sorted()
    assert portfolio.plot().startswith("<svg")


def test_it_can_be_pickled(played: tuple[Path, Portfolio]) -> None:
    portfolio = played[1]
    again = pickle.loads(pickle.dumps(portfolio))
    assert again.to_dict() == portfolio.to_dict()
    assert again.stats == portfolio.stats
    assert again.equity.equals(portfolio.equity)


ACCOUNT = """
[[accounts]]
currency = "EUR"
balance = "1"
"""
FEED = """
[[feeds]]
kind = "simulated"
name = "more"
pace = "recorded"
seed = 1
start = "2025-03-03T10:00:00Z"
duration_s = 1
[[feeds.instruments]]
instrument = "SIM:ALFA"
price = 1
"""


@pytest.mark.parametrize(
    ("added", "said"), [(ACCOUNT, "a backtest has one account; give the others"), (FEED, "a backtest takes one feed")]
)
def test_what_is_not_there_yet_is_one_line(tmp_path: Path, added: str, said: str) -> None:
    with pytest.raises(BacktestError, match=said):
        backtest_config(write_config(tmp_path, CONFIG + added))


def test_data_without_a_closed_bar_is_one_line(tmp_path: Path) -> None:
    short = CONFIG.replace("duration_s = 400", "duration_s = 1").replace('"1s", "1m"', '"1m"')
    with pytest.raises(BacktestError, match="no bar has closed"):
        backtest_config(write_config(tmp_path, short.replace('timeframe = "1s"', 'timeframe = "1m"')))


def prints_of(folder: Path, *lines: str) -> Config:
    (folder / "prints.csv").write_text("\n".join(["ts,price", *lines]) + "\n")
    stock = {"id": "SIM:ALFA", "asset_class": "equity", "tick_size": 0.01, "lot_size": 1, "currency": "USD"}
    file = {"path": "prints.csv", "instrument": "SIM:ALFA", "ts_unit": "s"}
    file |= {"columns": {"ts_event": "ts", "price": "price"}}
    feed = {"kind": "file", "name": "prints", "files": [file]}
    account = {"currency": "USD", "balance": "1000", "unit": "0.01"}
    raw = {"name": "prints", "instruments": [stock], "accounts": [account], "feeds": [feed]}
    return resolve(raw | {"bars": {"timeframes": ["1m"]}}, folder)


def test_rows_that_are_rejected_are_told(tmp_path: Path) -> None:
    good = [f"{1_700_000_000 + 60 * minute},100" for minute in range(3)]
    portfolio = run_config(prints_of(tmp_path, good[0], "soon,100", *good[1:], "1700000300,dear"), tmp_path)
    assert portfolio.to_dict()["rejected"] == portfolio.rejected == 2
    assert portfolio.why_rejected.startswith("rows of the feed rejected: 2, the first at prints.csv:3: ")
    with pytest.raises(BacktestError, match=r"no bar has closed .*; rows of the feed rejected: 1, the first at prints"):
        run_config(prints_of(tmp_path, "soon,100"), tmp_path)
    assert run_config(prints_of(tmp_path, *good), tmp_path).why_rejected == ""


def test_a_window_longer_than_the_data_is_the_reason_for_no_trade(tmp_path: Path) -> None:
    crossing = CONFIG.split('[[strategies]]\nname = "coin"')[0].replace("slow = 20", "slow = 5000")
    portfolio = backtest_config(write_config(tmp_path, crossing))
    assert portfolio.trades.is_empty()
    most = max(len(asset.bars) for asset in portfolio.assets)
    assert portfolio.why_no_trades() == f"cross needs 5,000 bars of 1s before it decides; at most {most} are there"
    never = crossing.replace("slow = 5000", "slow = 20").replace("allocation = 0.4", "allocation = 0.000001")
    (tmp_path / "never").mkdir()
    assert "worth a lot" in backtest_config(write_config(tmp_path / "never", never)).why_no_trades()


@pytest.mark.realdata
def test_the_table_of_portfolios_is_what_comes_out(realdata: Path) -> None:
    rows = [line for line in DOC.splitlines() if line.startswith(SHOWN)]
    assert rows == list(shown_portfolios.table(realdata))


YEN_ROWS = 3000
YEN = np.round(100.0 + np.cumsum(np.random.default_rng(5).standard_normal(YEN_ROWS)) * 0.1, 3)
YEN_OPENED_NS = np.arange(YEN_ROWS, dtype=np.int64) * MINUTE + 1_700_000_100_000_000_000


def yen_config(tmp_path: Path, balance: str) -> dict[str, object]:
    """An instrument whose profits are yen, and whose price is what a dollar costs."""
    close, opened = YEN, YEN_OPENED_NS
    before = np.concatenate([[100.0], close[:-1]])
    prices = {"open": before, "high": np.maximum(before, close), "low": np.minimum(before, close), "close": close}
    pl.DataFrame({"ts_open_ns": opened, "ts_close_ns": opened + MINUTE, **prices}).write_parquet(tmp_path / "f.parquet")
    traded = {"id": "FX:USDJPY", "asset_class": "fx", "tick_size": 0.001, "lot_size": 1000, "currency": "JPY"}
    conversion = {"into": "USD", "instrument": "FX:USDJPY", "inverse": True}
    file = {"path": "f.parquet", "instrument": "FX:USDJPY", "timeframe": "1m"}
    return {
        "name": "yen",
        "instruments": [traded | {"fees": {"taker_rate": 0.0001}, "margin": {"initial_rate": 0.05}}],
        "accounts": [
            {"currency": "USD", "balance": "100000", "unit": "0.01"},
            {"currency": "JPY", "balance": balance, "unit": "1", "conversion": conversion},
        ],
        "feeds": [{"kind": "bars", "name": "minutes", "files": [file]}],
        "strategies": [{"name": "own", "kind": "sma_cross", "instruments": ["FX:USDJPY"], "timeframe": "1m"}],
        "simulation": {"latency_ms": 0.0},
    }


def test_what_is_made_in_another_currency_counts_at_its_price(tmp_path: Path) -> None:
    rows, close, opened = YEN_ROWS, YEN, YEN_OPENED_NS
    config = yen_config(tmp_path, balance="1000000")
    portfolio = run_config(resolve(config, tmp_path), tmp_path)
    # then equity is the dollars, and all yen at each close
    fills = portfolio.assets[0].fills
    position = portfolio.assets[0].equity["position"].to_numpy()
    flow, fees = -(fills["quantity"] * fills["price"]).to_numpy(), fills["fee"].to_numpy()
    cash = np.zeros(rows)
    np.add.at(cash, fills["bar"].to_numpy(), flow - fees)
    yen = 1_000_000 + np.cumsum(cash) + position * close
    assert portfolio.equity["equity"].to_numpy() == pytest.approx(100_000 + yen / close, abs=0.02)
    assert portfolio.initial == pytest.approx(100_000 + 1_000_000 / close[0])
    assert portfolio.metrics.closed_trades > 20
    # and each trade counts at the price of its end
    trade, made = portfolio.trades.row(0, named=True), portfolio.assets[0].trades.row(0, named=True)
    at_end = close[np.searchsorted(opened + MINUTE, made["exit_ts_ns"], side="right") - 1]
    assert trade["profit"] == pytest.approx(made["profit"] / at_end)
    assert portfolio.metrics.fees == pytest.approx((fees / close[fills["bar"].to_numpy() - 1]).sum())
    # and the only instrument has earned what its trades have, in dollars
    figures = portfolio.figures["FX:USDJPY"]
    gain = portfolio.assets[0].executed.equity[-1] - portfolio.assets[0].initial
    assert figures.final_equity == pytest.approx(portfolio.initial + gain / close[-1])
    assert figures.expectancy == pytest.approx(portfolio.metrics.expectancy)
    assert portfolio.to_dict()["assets"]["FX:USDJPY"]["fees"] == pytest.approx(portfolio.metrics.fees)


def test_an_account_that_begins_with_nothing_counts_in_the_other_one(tmp_path: Path) -> None:
    portfolio = run_config(resolve(yen_config(tmp_path, balance="0"), tmp_path), tmp_path)
    assert portfolio.initial == 100_000.0
    figures = portfolio.figures["FX:USDJPY"]
    assert figures.initial_equity == 100_000.0
    assert figures.closed_trades == portfolio.metrics.closed_trades > 20
    assert "FX:USDJPY" in page(portfolio)


def test_what_holding_costs_in_another_currency_is_told_in_the_accounts(tmp_path: Path) -> None:
    config = yen_config(tmp_path, balance="0")
    config["instruments"][0]["financing"] = {"funding_rate": 0.0001, "funding_interval_h": 1}
    portfolio = run_config(resolve(config, tmp_path), tmp_path)
    figures, posted = portfolio.figures["FX:USDJPY"], portfolio.assets[0].executed.postings
    in_dollars = posted["change"] / portfolio.assets[0].bars.close[posted["bar"]]  # a unit is a yen
    assert figures.funding == pytest.approx(-in_dollars.sum(), rel=1e-3)
    assert portfolio.metrics.funding == pytest.approx(figures.funding) and figures.funding != 0.0


BRACKETED = """
from msgspec import Struct
from tradingd.strategies.contract import PythonStrategy, Target

class Bracketed(PythonStrategy):
    class State(Struct):
        bars: int = 0

    def on_bar(self, state, bar, params):
        return Target(0.5, stop=95.0, take_profit=105.0)
"""


def minutes() -> pl.DataFrame:
    """Two times five minutes: flat, then a high before a low."""
    opened = np.arange(10, dtype=np.int64) * MINUTE + 1_700_000_100_000_000_000
    high, low = np.full(10, 101.0), np.full(10, 99.0)
    high[6], low[8] = 106.0, 90.0
    times = {"ts_open_ns": opened, "ts_close_ns": opened + MINUTE}
    return pl.DataFrame({**times, "open": np.full(10, 100.0), "high": high, "low": low, "close": np.full(10, 100.0)})


def test_finer_bars_settle_what_was_first_within_a_bar(tmp_path: Path) -> None:
    # given a bar of five minutes that holds both stop and take profit
    (tmp_path / "own.py").write_text(BRACKETED)
    fine = minutes()
    fine.write_parquet(tmp_path / "fine.parquet")
    coarse = fine.group_by_dynamic(pl.from_epoch("ts_open_ns", "ns").alias("ts"), every="5m").agg(
        pl.first("ts_open_ns", "open"), pl.last("ts_close_ns", "close"), pl.max("high"), pl.min("low")
    )
    alone = backtest(
        "own.py:Bracketed", coarse.drop("ts"), base=tmp_path, instrument={"tick_size": 1.0}, allocation=0.5
    )
    # then of itself it says the worse, and minutes say what it was
    instrument = {"id": "X:Y", "asset_class": "equity", "tick_size": 1.0, "lot_size": 1, "currency": "USD"}
    file = {"path": "fine.parquet", "instrument": "X:Y", "timeframe": "1m"}
    strategy = {"name": "own", "kind": "own.py:Bracketed", "instruments": ["X:Y"], "timeframe": "5m", "allocation": 0.5}
    config = {
        "name": "finer",
        "instruments": [instrument],
        "accounts": [{"currency": "USD", "balance": "100000"}],
        "feeds": [{"kind": "bars", "name": "minutes", "files": [file]}],
        "strategies": [strategy],
        "simulation": {"latency_ms": 0.0},
    }
    finer = run_config(resolve(config, tmp_path), tmp_path)
    trades = [
        (trades["entry_price"][0], trades["exit_price"][0], trades["reason"][0])
        for trades in (alone.trades, finer.trades)
    ]
    assert trades == [(100.0, 95.0, "stop_loss"), (100.0, 105.0, "take_profit")]
