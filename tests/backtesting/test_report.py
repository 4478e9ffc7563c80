"""The HTML report: what is on it, where its numbers come from, what it escapes, and what a browser makes of it."""

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from wavy_market import MINUTE, waves

from tradingd import backtest
from tradingd.backtesting.drawdowns import deepest_drawdowns
from tradingd.backtesting.metrics import Metrics, daily_returns, monthly_returns, relative_to
from tradingd.backtesting.report import page, series, write_report
from tradingd.backtesting.report.drawings import histogram
from tradingd.backtesting.report.figures import GROUPS, forms, shown
from tradingd.backtesting.report.markup import script_data, tag
from tradingd.backtesting.report.origin import command
from tradingd.backtesting.report.protection import protection
from tradingd.backtesting.report.sampling import bucket_size, candles, kept, means
from tradingd.backtesting.report.tables import cost_frame, year_return
from tradingd.backtesting.report.told import of_result
from tradingd.backtesting.result import Result
from tradingd.kernels.book import INTRABAR
from tradingd.kernels.indicators import bollinger, sma
from tradingd.kernels.trips import STILL_OPEN
from tradingd.strategies.contract import StrategyError

from .browser import CHROMIUM, Page, chromium

DAY = 1440 * MINUTE
LINES = """
from tradingd.strategies.contract import PythonStrategy, Target


class Idea(PythonStrategy):
    def on_bar(self, state, bar, params):
        return Target(1.0)

    def lines(self, params, bars):
        return {NAME: bars.closeSLICE}
"""


def daily(close: Any, reach: float = 0.0) -> pl.DataFrame:
    """Days that open where the one before closed, and go so far beyond both."""
    opened, times = np.append(close[0], close[:-1]), np.arange(len(close), dtype=np.int64) * DAY
    return pl.DataFrame(
        {
            "ts_open_ns": times,
            "ts_close_ns": times + DAY,
            "open": opened,
            "high": np.round(np.maximum(opened, close) + reach, 2),
            "low": np.round(np.minimum(opened, close) - reach, 2),
            "close": close,
        }
    )


def rough() -> pl.DataFrame:
    return daily(np.round(100 + np.cumsum(np.random.default_rng(7).normal(0, 0.8, 800)), 2), 0.4)


@pytest.fixture(scope="module")
def result() -> Result:
    """800 days with stops, targets, fees and slippage."""
    instrument = {"lot_size": 0.01, "fees": {"taker_rate": 0.0002}}
    return backtest(
        "mean_reversion",
        rough(),
        {"period": 10, "entry": 1.2},
        instrument=instrument,
        exits=[{"kind": "fixed_ratio", "params": {"multiple": 1.0, "ratio": 0.5}}],
        simulation={"slippage_ticks": 1},
    )


@pytest.fixture(scope="module")
def text(result: Result) -> str:
    return page(result)


def data_of(text: str) -> dict[str, Any]:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return dict(json.loads(data))


def test_every_figure_and_parameter_is_there(result: Result, text: str) -> None:
    named = [name for group in GROUPS.values() for name in group]
    assert sorted(named) == sorted(Metrics.__struct_fields__)
    assert f"<td>{result.metrics.sharpe:.2f}</td>" in text and f"<td>{result.metrics.max_drawdown:.2%}</td>" in text
    for said in ("entry = 1.2", "leave = 0.0", "multiple = 1.0", "fraction = 0.0", result.code, result.data, "numba"):
        assert said in text


def test_nothing_is_loaded_from_elsewhere(text: str) -> None:
    assert "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:" in text
    ours = re.sub(r"<script>/\*!.*?</script>", "", text, count=1, flags=re.DOTALL)
    assert not re.search(r"<link|<img|<iframe|\bsrc=|@import|url\(|fetch\(| on\w+=\"", ours)
    addresses = set(re.findall(r"https?://[^\s\"'<,]+", ours))
    assert addresses == {"https://www.tradingview.com/", "https://www.apache.org/licenses/LICENSE-2.0"}
    assert "TradingView Lightweight Charts™, Copyright (c) 2026 TradingView, Inc." in ours


def test_what_users_name_is_escaped(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>\u2028&"
    file = tmp_path / "idea.py"
    file.write_text(LINES.replace("NAME", repr(evil)).replace("SLICE", ""), encoding="utf-8")
    settings = {"id": "X:<b>&\"'</title>"}
    made = page(backtest("idea.py:Idea", waves(50), instrument=settings, base=tmp_path))
    assert "alert(1)</script>" not in made and "<b>" not in made and "\u2028" not in made
    assert "X:&lt;b&gt;&amp;&quot;&#x27;&lt;/title&gt;" in made
    assert list(data_of(made)["assets"][0]["lines"]) == [evil]
    assert json.loads(script_data([evil])) == [evil] and not re.search("[<>&\u2028]", script_data([evil]))
    assert tag("p", "<i>", kind='"') == '<p class="&quot;">&lt;i&gt;</p>'


def test_lines_that_do_not_fit_the_bars(tmp_path: Path) -> None:
    (tmp_path / "idea.py").write_text(LINES.replace("NAME", "'close'").replace("SLICE", "[1:]"), encoding="utf-8")
    with pytest.raises(StrategyError, match=r"line 'close' is \(49,\), and there are 50 bars"):
        page(backtest("idea.py:Idea", waves(50), base=tmp_path))


def test_the_lines_of_the_built_in_strategies(result: Result) -> None:
    close, told = result.bars.close, of_result(result)
    upper, mean, lower = bollinger(close, 10, 1.2)
    for name, values in {"upper band": upper, "mean": mean, "lower band": lower}.items():
        np.testing.assert_array_equal(told.parts[0].lines[name], values)
    crossed = of_result(backtest("sma_cross", waves(100), {"fast": 3, "slow": 7})).parts[0].lines
    np.testing.assert_array_equal(crossed["SMA 3"], sma(waves(100)["close"].to_numpy(), 3))
    assert list(crossed) == ["SMA 3", "SMA 7"]
    assert of_result(backtest("coin_flip", waves(100))).parts[0].lines == {}


def test_candles_and_curves_keep_what_is_extreme(result: Result) -> None:
    bars, size = result.bars, 7
    made = candles(bars, size)
    assert len(made["time"]) == -(-len(bars) // size)
    assert made["high"][1] == bars.high[7:14].max() and made["low"][-1] == bars.low[-(len(bars) % size or size) :].min()
    assert (made["open"][1], made["close"][1], made["close"][-1]) == (bars.open[7], bars.close[13], bars.close[-1])
    values = np.random.default_rng(3).normal(size=1003)
    at = kept(10, values, -values)
    for first in range(0, 1003, 10):
        inside = values[at[(at >= first) & (at < first + 10)]]
        assert (inside.min(), inside.max()) == (values[first : first + 10].min(), values[first : first + 10].max())
    assert at[0] == 0 and at[-1] == 1002 and (np.diff(at) > 0).all()
    np.testing.assert_allclose(means(values, 10)[[0, -1]], [values[:10].mean(), values[1000:].mean()])
    assert (bucket_size(10, 10), bucket_size(11, 10), bucket_size(1, 10)) == (1, 2, 1)


def test_months_multiply_to_years_and_years_to_the_whole(result: Result, text: str) -> None:
    monthly = monthly_returns(series.daily_of(of_result(result)), 100_000.0)
    years = [year_return(year["return"]) or 0.0 for year in monthly.partition_by("year", maintain_order=True)]
    assert np.prod([1 + each for each in years]) - 1 == pytest.approx(result.metrics.total_return)
    heat = text.partition("Monthly returns</caption>")[2].partition("</table>")[0]
    shown = re.findall(r"<td[^>]*>([+-][\d.]+%)</td>", heat)
    expected = [f"{each:+.1%}" for each in (*monthly["return"], *years) if each]
    assert sorted(shown) == sorted(expected) and len(shown) > 24
    assert year_return(pl.Series([0.5, None])) is None


def test_drawdowns_are_those_of_the_figures(result: Result, text: str) -> None:
    deepest = deepest_drawdowns(result.bars.ts_close_ns, result.executed.equity, 100_000.0)
    for depth in deepest["depth"]:
        assert f"<td>{depth:.2%}</td>" in text
    assert deepest["depth"][0] == result.metrics.max_drawdown


def test_protection_is_where_it_stood(result: Result) -> None:
    """By a slow walk over the bars, and by what the trades that met it got."""
    executed, drawn = result.executed, protection(result.executed)
    said = {int(signal["bar"]): signal for signal in executed.signals}
    expected = {"stop": np.full(len(result.bars), np.nan), "take_profit": np.full(len(result.bars), np.nan)}
    for trip in executed.trips:
        now = {"stop": np.nan, "take_profit": np.nan}
        last = len(result.bars) - 1 if trip["exit_bar"] == STILL_OPEN else trip["exit_bar"]
        for bar in range(trip["entry_bar"], last + 1):
            signal = said.get(bar - 1)
            if signal is not None and signal["target"] * trip["side"] > 0:
                now = {name: now[name] if np.isnan(signal[name]) else signal[name] for name in now}
            for name, price in now.items():
                expected[name][bar] = price
    for name, values in drawn.items():
        np.testing.assert_array_equal(values, expected[name])
    rested = zip(executed.trips, result.trades["reason"] == "take_profit", strict=True)
    taken = [trip for trip, is_taken in rested if is_taken and trip["phase"] == INTRABAR]
    assert len(taken) > 3
    assert [trip["exit_price"] for trip in taken] == [drawn["take_profit"][trip["exit_bar"]] for trip in taken]


def test_a_spread_is_a_cost_of_what_meets_it() -> None:
    made = backtest("sma_cross", waves(), instrument={"spread_ticks": 4, "recorded_side": "bid"})
    fills = made.fills.filter(pl.col("reason") == "decision")
    bought = float(fills.filter(pl.col("quantity") > 0)["quantity"].sum())
    assert cost_frame(of_result(made))["slippage"].sum() == pytest.approx(bought * 4 * made.instrument.tick_size)


def test_orders_that_are_filled_in_part_are_told() -> None:
    exits = [{"kind": "fixed_ratio", "params": {"multiple": 1.0, "ratio": 0.5}}]
    data = rough().with_columns(volume=pl.lit(2000.0))
    made = backtest("mean_reversion", data, {"period": 10}, exits=exits, simulation={"volume_share": 0.1})
    assert len(made.fills) > 2 * len(made.trades) > 10
    assert "</html>" in page(made)


def test_costs_are_those_of_the_fills(result: Result, text: str) -> None:
    frame, fills = cost_frame(of_result(result)), result.fills
    by_decision = fills.filter(pl.col("reason") == "decision")
    slipped = np.abs(by_decision["price"].to_numpy() - result.bars.open[by_decision["bar"].to_numpy()])
    paid = float((slipped * by_decision["quantity"].abs().to_numpy()).sum())
    row = frame.filter(pl.col("reason") == "decision").row(0, named=True)
    assert row["slippage"] == pytest.approx(paid) and row["len"] == len(by_decision)
    assert frame.filter(pl.col("reason") == "take_profit")["slippage"].to_list() == [0.0]
    assert frame["fee"].sum() == pytest.approx(result.metrics.fees)
    assert f"<td>{float(frame['fee'].sum()):,.2f}</td>" in text


def test_the_command_gives_the_run_again(result: Result, text: str) -> None:
    words = shlex.split(command(result))
    assert words[:8] == ["trade", "backtest", "--strategy", "mean_reversion", "--data", "FILE", "--balance", "100000"]
    assert set(words[8::2]) == {"--set"}
    again = backtest("mean_reversion", rough(), sets=words[9::2])
    assert (again.settings, again.metrics) == (result.settings, result.metrics)
    assert "--set strategy.entry=1.2" in text


def test_other_money_and_other_assets_in_the_command() -> None:
    raw = {"asset_class": "fx", "currency": "EUR", "session": {"timezone": "UTC", "open": "07:00", "close": "17:00"}}
    first = backtest("sma_cross", waves(200), balance="5000", instrument=raw, sets=["account.unit='0.01'"])
    words = shlex.split(command(first))
    assert backtest("sma_cross", waves(200), balance="5000", sets=words[9::2]).settings == first.settings


def squeezed() -> pl.DataFrame:
    """A fall of 200 days, and then more than all is lost at once by who is short."""
    return daily(np.append(np.linspace(299.0, 100.0, 200), [900.0, 900.0, 900.0]))


def test_what_is_out_of_the_ordinary_is_said() -> None:
    flat = waves(100).with_columns(pl.lit(100.0).alias(name) for name in ("open", "high", "low", "close"))
    cases = {
        "sma_cross needs 50 bars before it decides": backtest("sma_cross", waves(20)),
        "There is one bar": backtest("sma_cross", waves(1)),
        "All bars are of one UTC day": backtest("sma_cross", waves(600)),
        "Equity never moved": backtest("sma_cross", flat),
        "No trade has ended yet": backtest("coin_flip", waves(2)),
        "Equity was at or below 0 from 1970-07-20 on": backtest("sma_cross", squeezed()),
    }
    for said, found in cases.items():
        assert said in page(found), said
        assert not re.search(r">[^<]*\b(nan|inf|None)\b[^<]*</td>", page(found))


def test_many_bars_and_many_trades_are_said_to_be_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "TRADES_MAX", 5)
    monkeypatch.setattr(series, "CANDLES_MAX", 300)
    monkeypatch.setattr(series, "CURVE_MAX", 500)
    monkeypatch.setattr(series, "CURVE_BUCKETS", 100)
    many = backtest("mean_reversion", waves(2000), exits=[{"kind": "fixed_ratio"}])
    made, data = page(many), data_of(page(many))
    assert "Each candle holds 7 bars" in made and f"The first 5 of {len(many.trades)} trades" in made
    assert len(data["assets"][0]["candles"]["time"]) <= 300 and len(data["trades"]["side"]) == 5
    curve = data["curve"]
    assert len(curve["time"]) < 800 and sorted(set(curve["time"])) == curve["time"]
    assert max(curve["equity"]) == pytest.approx(many.executed.equity.max(), abs=0.01)
    assert min(curve["below"]) == pytest.approx(many.metrics.max_drawdown, abs=1e-5)


def test_the_data_of_the_charts(result: Result, text: str) -> None:
    data, trades = data_of(text), result.trades
    assert data["trades"]["profit"] == pytest.approx(trades["profit"].to_list(), abs=0.01)
    (drawn,) = data["assets"]
    assert drawn["candles"]["close"] == result.bars.close.tolist()
    assert drawn["candles"]["time"] == (result.bars.ts_open_ns // 10**9).tolist()
    assert set(drawn["protection"]) == {"stop", "take_profit"} and data["rolling"]["days"] == 126
    assert all(len(column) == len(trades) for column in data["trades"].values())
    assert text.count("\n") > 100 and len(text) < 800_000


def test_the_last_window_is_that_of_the_last_days(result: Result, text: str) -> None:
    rolling = data_of(text)["rolling"]
    assert {len(column) for name, column in rolling.items() if name != "days"} == {800}
    held = daily_returns(result.bars.ts_close_ns, result.bars.close, float(result.bars.open[0])).tail(126)
    ours = series.daily_of(of_result(result)).tail(126)
    assert rolling["beta"][-1] == pytest.approx(relative_to(ours, held).beta, abs=1e-4)
    downside = np.sqrt(np.minimum(ours["return"].to_numpy(), 0.0) ** 2 @ np.ones(126) / 126)
    assert rolling["sortino"][-1] == pytest.approx(ours["return"].mean() / downside * math.sqrt(365), abs=1e-3)


def test_numbers_without_end_have_an_exponent() -> None:
    by_unit = forms(100_000.0)
    assert by_unit["percent"](-0.1234) == "-12.34%" and by_unit["percent"](4.8e200) == "4.8e+202%"
    assert by_unit["money"](1234.5) == "1,234.50" and by_unit["money"](1.23456e15) == "1.2346e+15"
    assert by_unit["ratio"](-1e20) == "-1e+20"
    assert forms(10.0)["money"](0.5) == "0.5000" and shown(None, by_unit["money"]) == "–"
    assert (by_unit["span"](90.0), by_unit["span"](86_400.0), by_unit["span"](0.1)) == ("1.5 min", "1 d", "0.1 s")


def test_histograms_count_everything() -> None:
    values = np.random.default_rng(1).normal(size=500) / 100
    counted = re.findall(r"% to [-\d.]+%: ([\d,]+)<", histogram("Daily", values, "days"))
    assert sum(map(int, counted)) == 500
    assert "There are no days" in histogram("Daily", values[:0], "days")
    assert histogram("Daily", np.zeros(3), "days").count("<rect") == 1


def test_a_file_is_written(result: Result, text: str, tmp_path: Path) -> None:
    write_report(result, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


# --- in a browser -----------------------------------------------------------------------------------------------------

FIRST_PROFITS = "[...document.querySelectorAll('#trade-table tbody tr')].map(row => row.cells[7].textContent)"


def test_a_browser_shows_sorts_filters_and_loads_nothing(result: Result, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("the report is not tried in a browser: there is no chromium")
    file = tmp_path / "report.html"
    write_report(result, file)
    with chromium(tmp_path / "profile") as tab:
        tab.open(file, 390, "dark")
        assert tab.run("document.documentElement.scrollWidth") == 390
        assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"
        tab.open(file, 1280, "light")
        assert tab.run("document.documentElement.scrollWidth") == 1280
        assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.run("document.querySelectorAll('.chart canvas').length") > 6
        _sorts(tab, result)
        _filters(tab, result)
        _moves(tab)
        assert tab.complaints() == []
        assert set(tab.requested()) == {file.as_uri()}


def _sorts(tab: Page, result: Result) -> None:
    header = "[...document.querySelectorAll('#trade-table thead button')].find(b => b.textContent.startsWith('Profit'))"
    for is_falling in (False, True):
        tab.run(f"{header}.focus(); {header}.click()")
        shown = [float(cell.replace(",", "")) for cell in tab.run(FIRST_PROFITS)]
        ordered = sorted(result.trades["profit"].to_list(), reverse=is_falling)[: len(shown)]
        assert shown == pytest.approx(ordered, abs=0.01) and len(shown) == min(50, len(result.trades))
    assert tab.run(f"{header}.parentElement.getAttribute('aria-sort')") == "descending"


def _filters(tab: Page, result: Result) -> None:
    trades = result.trades
    _set(tab, side="short", result="won")
    _counts(tab, trades.filter((pl.col("side") == "short") & (pl.col("profit") > 0)).height, len(trades))
    _set(tab, side="", result="", text="take profit")
    _counts(tab, trades.filter(pl.col("reason") == "take_profit").height, len(trades))
    _set(tab, text="", reason="stop_loss")
    _counts(tab, trades.filter(pl.col("reason") == "stop_loss").height, len(trades))
    _set(tab, reason="")


def _set(tab: Page, **filters: str) -> None:
    for name, value in filters.items():
        tab.run(f"element('trade-{name}').value = {value!r}")
    tab.run("element('trade-filters').dispatchEvent(new Event('input'))")


def _counts(tab: Page, wanted: int, every: int) -> None:
    assert 0 < wanted < every
    assert tab.run("element('trade-count').textContent") == f"{wanted} of {every} trades"


def _moves(tab: Page) -> None:
    """A click on a trade shows its candles, and the whole run comes back."""
    tab.run("document.querySelector('#trade-table tbody button').click()")
    seen = tab.run("(({from, to}) => [from, to])(priceChart.timeScale().getVisibleLogicalRange())")
    first, last = tab.run("[trades.first[table.chosen], trades.last[table.chosen]]")
    assert seen[0] <= first <= last <= seen[1] and seen[1] - seen[0] < 200
    tab.run("element('price-whole').click(); element('equity-log').click()")
    assert tab.run("element('equity-log').getAttribute('aria-pressed')") == "true"
