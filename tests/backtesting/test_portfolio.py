"""A whole config over recorded data does what a daemon with it does."""

from pathlib import Path

import numpy as np
import pytest
from small_day import CONFIG, journal_of, play_config, write_config

from tradingd.audit.replay import replay
from tradingd.backtesting.errors import BacktestError
from tradingd.backtesting.portfolio import Portfolio, backtest_config
from tradingd.events import Event, OrderFilled
from tradingd.journal.reader import JournalReader
from tradingd.journal.verify import verify

from . import shown_portfolios
from .test_shown import DOC


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
    ("added", "said"), [(ACCOUNT, "a backtest has one account"), (FEED, "a backtest takes one feed")]
)
def test_what_is_not_there_yet_is_one_line(tmp_path: Path, added: str, said: str) -> None:
    with pytest.raises(BacktestError, match=said):
        backtest_config(write_config(tmp_path, CONFIG + added))


@pytest.mark.realdata
def test_the_table_of_portfolios_is_what_comes_out(realdata: Path) -> None:
    rows = [line for line in DOC.splitlines() if line.startswith(("| panel", "| currencies", "| prints"))]
    assert rows == list(shown_portfolios.table(realdata))
