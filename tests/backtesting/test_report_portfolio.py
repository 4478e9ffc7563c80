"""The report of a whole config: the account's curve and figures, and each instrument's candles and trades."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_day import CONFIG, write_config

from tradingd.backtesting.portfolio import Portfolio, backtest_config
from tradingd.backtesting.report import page, write_report
from tradingd.backtesting.report.tables import cost_frame
from tradingd.backtesting.report.told import of_portfolio
from tradingd.kernels.indicators import sma

from .browser import CHROMIUM, chromium


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Portfolio:
    return backtest_config(write_config(tmp_path_factory.mktemp("report")), ["simulation.slippage_ticks=1"])


@pytest.fixture(scope="module")
def text(portfolio: Portfolio) -> str:
    return page(portfolio)


@pytest.fixture(scope="module")
def data(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return dict(json.loads(found))


def test_who_decided_what_each_did_and_where_it_came_from_is_told(portfolio: Portfolio, text: str) -> None:
    assert "<h1>cross, coin on SIM:ALFA, SIM:BETA</h1>" in text
    for asset in portfolio.assets:
        profit = asset.metrics.final_equity - asset.metrics.initial_equity
        assert f">{asset.instrument.id}</th><td>{asset.metrics.closed_trades}</td>" in text
        assert f"<td>{profit:,.2f}</td>" in text
        assert asset.bars.digest() in text
    for said in (
        "slow = 20",
        "instruments = SIM:ALFA",
        "exit of cross ",
        "trade backtest --config CONFIG",
        portfolio.code,
    ):
        assert said in text
    assert f"<td>{portfolio.metrics.fees:,.2f}</td>" in text


def test_curve_and_costs_are_the_accounts(portfolio: Portfolio, data: dict[str, Any]) -> None:
    assert data["curve"]["equity"] == pytest.approx(portfolio.equity["equity"].to_list(), abs=0.01)
    assert data["curve"]["time"] == sorted(set(data["curve"]["time"])) and data["curve"]["held"] is None
    costs, told = cost_frame(of_portfolio(portfolio)), of_portfolio(portfolio)
    assert costs["fee"].sum() == pytest.approx(portfolio.metrics.fees)
    assert costs["notional"].sum() == pytest.approx(portfolio.metrics.turnover)
    met = [asset.fills.filter(~asset.fills["is_limit"]) for asset in portfolio.assets]
    assert costs["slippage"].sum() == pytest.approx(0.01 * sum(fills["quantity"].abs().sum() for fills in met))
    assert told.trades.drop("part").equals(portfolio.trades.drop("instrument"))


def test_each_instrument_has_its_candles_lines_and_trades(portfolio: Portfolio, data: dict[str, Any]) -> None:
    alfa, beta = data["assets"]
    closes = portfolio.assets[0].bars.close
    assert (alfa["name"], beta["name"]) == ("SIM:ALFA", "SIM:BETA")
    assert alfa["candles"]["close"] == closes.tolist()
    drawn = sma(closes, 20)
    known = [None if np.isnan(value) else value for value in drawn.round(4)]
    own = next(values for name, values in alfa["lines"].items() if name.endswith("SMA 20"))
    assert own == known
    trades = data["trades"]
    assert [data["assets"][n]["name"] for n in trades["asset"]] == portfolio.trades["instrument"].to_list()
    assert trades["profit"] == pytest.approx(portfolio.trades["profit"].to_list(), abs=0.01)
    for n, first, entry in zip(trades["asset"], trades["first"], trades["entry"], strict=True):
        assert data["assets"][n]["candles"]["time"][first] <= entry


def test_stops_are_drawn_where_one_strategy_decides(portfolio: Portfolio, data: dict[str, Any], text: str) -> None:
    many = {asset.instrument.id: 0 for asset in portfolio.assets}
    for strategy in portfolio.core.strategies:
        many |= {name: many[name] + 1 for name in strategy.instruments}
    assert sorted(many.values()) == [1, 2]
    assert [bool(asset["protection"]) for asset in data["assets"]] == [count == 1 for count in many.values()]
    assert "Stops are left out where several strategies decide together" in text


def test_a_config_that_never_trades(tmp_path: Path) -> None:
    silent = CONFIG.replace("slow = 20", "slow = 5000").split('[[strategies]]\nname = "coin"')[0]
    made = page(backtest_config(write_config(tmp_path, silent)))
    assert "No trades: cross needs 5,000 bars of 1s before it decides" in made
    assert not re.search(r">[^<]*\b(nan|inf|None)\b[^<]*</td>", made)


def test_a_browser_shows_one_instrument_after_another(portfolio: Portfolio, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("the report is not tried in a browser: there is no chromium")
    file = tmp_path / "report.html"
    write_report(portfolio, file)
    own = portfolio.trades["instrument"].to_list()
    with chromium(tmp_path / "profile") as tab:
        tab.open(file, 390, "dark")
        assert tab.run("document.documentElement.scrollWidth") == 390
        tab.open(file, 1280, "light")
        choose = "element('price-asset').value = 1; element('price-asset').dispatchEvent(new Event('change'))"
        tab.run(choose)
        assert tab.run("candles.close.length") == len(portfolio.assets[1].bars)
        assert tab.run("document.querySelectorAll('#price-chart canvas').length") == 7
        # a trade of another instrument shows that one
        tab.run(f"choose({own.index('SIM:ALFA')})")
        assert tab.run("[shown, element('price-asset').value]") == [0, "0"]
        tab.run("element('trade-asset').value = 1; element('trade-filters').dispatchEvent(new Event('input'))")
        assert tab.run("element('trade-count').textContent") == f"{own.count('SIM:BETA')} of {len(own)} trades"
        assert tab.complaints() == []
        assert set(tab.requested()) == {file.as_uri()}
