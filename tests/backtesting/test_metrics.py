"""Metrics of a backtest: worked by hand, computed again in plain Python on recorded prices, and as properties."""

import csv
import gzip
import itertools
import json
import math
import statistics
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.backtesting.drawdowns import deepest_drawdowns, drawdown_series
from tradingd.backtesting.metrics import (
    Metrics,
    daily_returns,
    metrics_of,
    monthly_returns,
    periods_per_year,
    relative_to,
    rolling_beta,
    rolling_ratios,
)

DAY_NS = 86_400 * 10**9
MONDAY_NS = 19_723 * DAY_NS + 21 * 3600 * 10**9  # 2024-01-01 21:00
FIGURES = ("entry_price", "exit_price", "quantity", "profit", "fees", "return", "mae", "mfe")
TRADES = {
    "side": pl.String,
    **dict.fromkeys(("entry_ts_ns", "exit_ts_ns", "bars"), pl.Int64),
    **dict.fromkeys(FIGURES, pl.Float64),
}
NO_TRADES = pl.DataFrame(schema=TRADES)
MONEY = {"initial_equity", "final_equity", "turnover", "fees", "expectancy", "average_win", "average_loss"}
RUINED = {
    "cagr", "annual_volatility", "sharpe", "probabilistic_sharpe", "sortino", "calmar", "omega", "var_95", "cvar_95",
    "skewness", "excess_kurtosis", "tail_ratio", "best_day", "worst_day", "positive_days", "best_month", "worst_month",
    "positive_months",
}  # fmt: skip


def near(value: float | None, **tolerance):
    return None if value is None else pytest.approx(value, **tolerance)


def closes(count: int, step_ns: int = DAY_NS) -> np.ndarray:
    return MONDAY_NS + step_ns * np.arange(count, dtype=np.int64)


def measured(equity, *, ts_ns=None, trades=NO_TRADES, exposure=None, initial=100.0, **more) -> Metrics:
    equity = np.array(equity, dtype=np.float64)
    ts_ns = closes(equity.size) if ts_ns is None else ts_ns
    exposure = np.ones(equity.size) if exposure is None else np.array(exposure, dtype=np.float64)
    return metrics_of(ts_ns, equity, exposure, trades, **{"turnover": 0.0, "fees": 0.0, "initial": initial} | more)


def trade(profit, *, days=1, opened=0, closed=True, mae=-0.01, mfe=0.02) -> dict:
    """A round trip of 1,000 in money, closed `days` after the day on which it was opened."""
    start_ns = MONDAY_NS + opened * DAY_NS
    entry = {"side": "long", "entry_ts_ns": start_ns, "entry_price": 1.0, "quantity": 1000.0, "bars": days}
    end = {"exit_ts_ns": start_ns + days * DAY_NS, "exit_price": 1.0} if closed else {}
    return entry | end | {"profit": profit, "fees": 1.0, "return": profit / 1000, "mae": mae, "mfe": mfe}


def frame(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=TRADES)


# --- small cases, worked by hand


def test_four_days_worked_by_hand():
    # given returns of +10 %, -10 %, 0 and +20 %
    metrics = measured([110, 99, 99, 118.8], exposure=[1, -1, 0, 0.5], turnover=426.8, fees=3.5)

    assert (metrics.bars, metrics.days, metrics.periods_per_year) == (4, 4, 252)
    assert metrics.years == pytest.approx(4 / 365.25)
    assert metrics.total_return == pytest.approx(0.188)
    assert metrics.cagr is None  # growth of four days is not annualised
    assert metrics.annual_volatility == pytest.approx(math.sqrt(0.05 / 3 * 252))
    assert metrics.sharpe == pytest.approx(0.05 / math.sqrt(0.05 / 3) * math.sqrt(252))
    assert metrics.sortino == pytest.approx(math.sqrt(252))  # 0.05 / sqrt(0.01 / 4)
    assert metrics.omega == pytest.approx(3)
    assert metrics.max_drawdown == pytest.approx(-0.1)
    assert metrics.max_drawdown_days == metrics.longest_drawdown_days == 3
    assert metrics.average_drawdown == pytest.approx(-0.1)
    assert metrics.ulcer_index == pytest.approx(math.sqrt(0.02 / 4))
    assert metrics.calmar is None
    assert metrics.var_95 == pytest.approx(-0.085)
    assert metrics.cvar_95 == pytest.approx(-0.1)
    assert metrics.tail_ratio == pytest.approx(0.185 / 0.085)
    assert metrics.skewness == pytest.approx(0)
    assert metrics.excess_kurtosis == pytest.approx(2 * (0.15**4 + 0.05**4) / 4 / 0.0125**2 - 3)
    assert (metrics.best_day, metrics.worst_day) == pytest.approx((0.2, -0.1))
    assert metrics.positive_days == 0.5
    assert (metrics.best_month, metrics.worst_month, metrics.positive_months) == pytest.approx((0.188, 0.188, 1))
    assert (metrics.time_in_market, metrics.average_exposure, metrics.max_exposure) == (0.75, 0.625, 1)
    assert metrics.turnover_per_year == pytest.approx(365.25)  # 426.8 of an average of 106.7, in 4 days
    assert metrics.fees == 3.5


def test_trades_worked_by_hand():
    profits = (30, 10, 0, -20, -5, -5, 40)
    rows = [trade(profit, days=n + 1, opened=n, mae=-n / 100, mfe=n / 50) for n, profit in enumerate(profits)]
    metrics = measured([100], trades=frame(*rows, trade(999, opened=9, closed=False)))

    assert (metrics.closed_trades, metrics.open_trades) == (7, 1)
    assert metrics.win_rate == pytest.approx(3 / 7)
    assert metrics.profit_factor == pytest.approx(80 / 30)
    assert metrics.expectancy == pytest.approx(50 / 7)
    assert (metrics.average_win, metrics.average_loss) == pytest.approx((80 / 3, -10))
    assert metrics.payoff_ratio == pytest.approx(8 / 3)
    assert metrics.kelly_fraction == pytest.approx(0.5 - 0.5 / (8 / 3))
    assert (metrics.best_trade_return, metrics.worst_trade_return) == (0.04, -0.02)
    assert metrics.average_trade_return == pytest.approx(0.05 / 7)
    assert (metrics.average_holding_s, metrics.longest_holding_s) == (4 * 86_400, 7 * 86_400)
    assert (metrics.average_holding_bars, metrics.longest_holding_bars) == (4, 7)
    assert (metrics.longest_winning_streak, metrics.longest_losing_streak) == (2, 3)
    assert (metrics.average_mfe, metrics.average_mae) == pytest.approx((0.06, -0.03))


def test_streaks_are_in_order_of_exit():
    # given a winner that was opened first and closed last
    rows = [trade(1, opened=0, days=9), trade(-1, opened=1), trade(-1, opened=2), trade(1, opened=3)]
    metrics = measured([100], trades=frame(*rows))
    assert (metrics.longest_winning_streak, metrics.longest_losing_streak) == (2, 2)


def test_drawdowns_worked_by_hand():
    # given a first close below the initial equity, a peak of two closes and a drawdown that has not ended
    ts_ns, equity = closes(8), np.array([90.0, 100, 120, 120, 60, 130, 120, 125])
    table = deepest_drawdowns(ts_ns, equity, 100.0)

    place = {int(ts): n for n, ts in enumerate(ts_ns)}
    rows = [
        [place[peak], place[valley], None if recovery is None else place[recovery], depth, days]
        for peak, valley, recovery, depth, days in table.rows()
    ]
    assert rows == [
        [3, 4, 5, -0.5, 2.0],
        [0, 0, 1, pytest.approx(-0.1), 1.0],
        [5, 6, None, pytest.approx(-10 / 130), 2.0],
    ]
    assert deepest_drawdowns(ts_ns, equity, 100.0, 1).rows() == table.rows()[:1]
    assert drawdown_series(equity, 100.0).tolist() == pytest.approx([-0.1, 0, 0, 0, -0.5, 0, -10 / 130, -5 / 130])


# --- the rules


def test_a_close_at_midnight_ends_its_day():
    midnight = (MONDAY_NS // DAY_NS + 1) * DAY_NS
    ts_ns = np.array([midnight - 1, midnight, midnight + 1], dtype=np.int64)
    daily = daily_returns(ts_ns, np.array([101.0, 110, 121]), 100.0)
    assert daily.rows() == [
        (date(2024, 1, 1), 110.0, pytest.approx(0.1)),
        (date(2024, 1, 2), 121.0, pytest.approx(0.1)),
    ]


@pytest.mark.parametrize(
    ("days", "periods"),
    [((0, 1, 2, 3, 4, 7), 252), ((0, 4, 5, 6), 365), ((3, 4, 6), 252), ((3, 4, 5), 252), ((), 252)],
    ids=["weekdays", "weekends", "opens on Sunday evening", "New York after hours", "none"],
)
def test_weekends_decide_on_the_periods_per_year(days, periods):
    monday = date(2024, 1, 1)
    dates = pl.Series("date", [monday + timedelta(days=day) for day in days], dtype=pl.Date)
    assert periods_per_year(dates) == periods


def test_a_day_without_a_bar_has_no_return():
    daily = daily_returns(MONDAY_NS + DAY_NS * np.array([0, 3]), np.array([100.0, 110]), 100.0)
    assert daily["return"].to_list() == pytest.approx([0, 0.1])
    assert daily["date"].to_list() == [date(2024, 1, 1), date(2024, 1, 4)]


def test_the_risk_free_return_is_compounded_daily():
    plain, over = measured([110, 99, 99, 118.8]), measured([110, 99, 99, 118.8], risk_free=1.01**252 - 1)
    assert over.sharpe == pytest.approx(plain.sharpe * 0.04 / 0.05)
    assert over.omega == pytest.approx((0.09 + 0.19) / (0.11 + 0.01))
    assert over.sortino == pytest.approx(0.04 / math.sqrt((0.11**2 + 0.01**2) / 4) * math.sqrt(252))
    assert over.annual_volatility == plain.annual_volatility


# --- what is undefined


def test_no_bars_and_no_trades():
    metrics = measured([])
    zeros = {name for name, value in msgspec.structs.asdict(metrics).items() if value == 0}
    counts = {"bars", "days", "closed_trades", "open_trades", "longest_winning_streak", "longest_losing_streak"}
    assert zeros == counts | {"turnover", "fees", "financing", "borrow", "funding", "interest"}
    known = {name for name, value in msgspec.structs.asdict(metrics).items() if value is not None}
    assert known == zeros | {"initial_equity", "periods_per_year"}


def test_one_day_has_no_yearly_figures_and_no_spread():
    metrics = measured([101, 102], ts_ns=closes(2, 60 * 10**9), turnover=100.0)
    undefined = (metrics.years, metrics.cagr, metrics.annual_volatility, metrics.sharpe, metrics.turnover_per_year)
    assert undefined == (None,) * 5
    assert (metrics.probabilistic_sharpe, metrics.skewness, metrics.excess_kurtosis, metrics.calmar) == (None,) * 4
    assert (metrics.total_return, metrics.best_day, metrics.positive_days) == pytest.approx((0.02, 0.02, 1))


def test_growth_without_volatility_has_no_sharpe():
    metrics = measured([100 * 1.01**n for n in range(1, 60)])
    assert metrics.annual_volatility == 0
    ratios = (metrics.sharpe, metrics.probabilistic_sharpe, metrics.sortino, metrics.omega, metrics.calmar)
    assert (*ratios, metrics.tail_ratio, metrics.skewness, metrics.excess_kurtosis) == (None,) * 8
    assert (metrics.max_drawdown, metrics.max_drawdown_days, metrics.average_drawdown) == (0, 0, None)


@pytest.mark.parametrize("low", [0.0, -20.0])
def test_a_ruined_account_keeps_its_loss_and_has_no_returns(low):
    metrics = msgspec.structs.asdict(measured([110, low, 50]))
    assert {name for name in RUINED if metrics[name] is not None} == set()
    assert metrics["total_return"] == -0.5
    assert metrics["max_drawdown"] == (low - 110) / 110
    assert daily_returns(closes(3), np.array([110, low, 50]), 100.0)["return"].to_list()[2] is None


@pytest.mark.parametrize(("profits", "factor"), [((1, 2), None), ((-1, -2), 0.0), ((0, 0), None)])
def test_trades_of_one_kind_have_no_ratios(profits, factor):
    metrics = measured([100], trades=frame(*(trade(profit) for profit in profits)))
    assert metrics.profit_factor == factor
    assert (metrics.payoff_ratio, metrics.kelly_fraction) == (None, None)


@pytest.mark.parametrize(
    ("ts_ns", "equity", "initial", "error"),
    [
        ([2, 1], [1, 1], 1, "do not rise"),
        ([1, 1], [1, 1], 1, "do not rise"),
        ([1, 2], [1], 1, "equity has 1 values, the bars have 2 closes"),
        ([1, 2], [1, np.nan], 1, "equity at close 1 is not a finite number"),
        ([1, 2], [1, 1], 0, "initial equity 0 is not above 0"),
        ([1, 2], [1, 1], np.nan, "initial equity nan is not above 0"),
    ],
)
def test_what_is_no_series_is_refused(ts_ns, equity, initial, error):
    with pytest.raises(ValueError, match=error):
        measured(equity, ts_ns=np.array(ts_ns, dtype=np.int64), initial=initial)


def test_a_window_of_one_day_is_refused():
    with pytest.raises(ValueError, match="a window of 1 days has no volatility"):
        rolling_ratios(daily_returns(closes(2), np.array([1.0, 2]), 1.0), 1)


# --- recorded prices, computed again in plain Python

Bar = tuple[datetime, float, float, float]


@pytest.fixture(scope="module")
def goog(realdata: Path) -> list[Bar]:
    """(close in UTC, high, low, close) of each day, 2004 to 2013."""
    with (realdata / "bars" / "backtesting_GOOG.csv").open() as lines:
        return [
            (
                datetime.fromisoformat(row[""]).replace(hour=21, tzinfo=UTC),
                *(float(row[k]) for k in ("High", "Low", "Close")),
            )
            for row in csv.DictReader(lines)
        ]


@pytest.fixture(scope="module")
def held(goog) -> dict:
    """100 shares from the first open, at 100."""
    return {
        "ts_ns": np.array([int(bar[0].timestamp()) * 10**9 for bar in goog]),
        "equity": np.array([bar[3] for bar in goog]) * 100,
        "initial": 10_000.0,
    }


@pytest.fixture(scope="module")
def returns(goog) -> list[float]:
    prices = [Fraction(100), *(Fraction(bar[3]) for bar in goog)]
    return [float(after / before - 1) for before, after in itertools.pairwise(prices)]


@pytest.mark.realdata
@pytest.mark.parametrize("risk_free", [0.0, 0.03])
def test_returns_of_goog_equal_plain_python(held, returns, risk_free):
    metrics = measured(**held, risk_free=risk_free)

    rate = (1 + risk_free) ** (1 / 252) - 1
    over = [value - rate for value in returns]
    mean, deviation = statistics.fmean(returns), statistics.stdev(returns)
    sharpe = statistics.fmean(over) / deviation
    downside = math.sqrt(math.fsum(value**2 for value in over if value < 0) / len(over))
    cuts = statistics.quantiles(returns, n=20, method="inclusive")
    moments = [math.fsum((value - mean) ** power for value in returns) / len(returns) for power in (2, 3, 4)]
    skewness, kurtosis = moments[1] / moments[0] ** 1.5, moments[2] / moments[0] ** 2
    z = sharpe * math.sqrt(len(returns) - 1) / math.sqrt(1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2)
    expected = {
        "days": 2148,
        "periods_per_year": 252,
        "total_return": 806.19 / 100 - 1,
        "cagr": (806.19 / 100) ** (365.25 / ((date(2013, 3, 1) - date(2004, 8, 19)).days + 1)) - 1,
        "annual_volatility": deviation * math.sqrt(252),
        "sharpe": sharpe * math.sqrt(252),
        "probabilistic_sharpe": statistics.NormalDist().cdf(z),
        "sortino": statistics.fmean(over) / downside * math.sqrt(252),
        "omega": math.fsum(v for v in over if v > 0) / -math.fsum(v for v in over if v < 0),
        "var_95": cuts[0],
        "cvar_95": statistics.fmean(value for value in returns if value <= cuts[0]),
        "tail_ratio": cuts[-1] / -cuts[0],
        "skewness": skewness,
        "excess_kurtosis": kurtosis - 3,
        "best_day": max(returns),
        "worst_day": min(returns),
        "positive_days": sum(value > 0 for value in returns) / len(returns),
    }
    assert {name: getattr(metrics, name) for name in expected} == pytest.approx(expected, rel=1e-10)


@pytest.mark.realdata
def test_months_of_goog_equal_plain_python(goog, held):
    daily = daily_returns(**held)
    last = {(bar[0].year, bar[0].month): Fraction(bar[3]) for bar in goog}
    ends = [Fraction(100), *last.values()]
    expected = [(*key, float(b / a - 1)) for key, (a, b) in zip(last, itertools.pairwise(ends), strict=True)]
    months = monthly_returns(daily, held["initial"])
    assert months.columns == ["year", "month", "return"]
    assert [row[:2] for row in months.rows()] == [row[:2] for row in expected]
    assert months["return"].to_list() == pytest.approx([row[2] for row in expected], rel=1e-10)

    metrics = measured(**held)
    values = [row[2] for row in expected]
    figures = (metrics.best_month, metrics.worst_month, metrics.positive_months)
    assert figures == pytest.approx((max(values), min(values), sum(v > 0 for v in values) / len(values)))


def drawdowns_again(bars: list[tuple[datetime, float]], initial: float) -> list[dict]:
    """One close after the other."""
    found, peak, at, current = [], initial, bars[0][0], None
    for ts, value in bars:
        if value >= peak:
            if current:
                current["end"] = current["recovery"] = ts
                found.append(current)
            peak, at, current = value, ts, None
            continue
        current = current or {"peak": at, "depth": 0.0, "recovery": None}
        current["end"] = ts
        if value / peak - 1 < current["depth"]:
            current |= {"depth": value / peak - 1, "valley": ts}
    return [*found, *([current] if current else [])]


@pytest.mark.realdata
def test_drawdowns_of_goog_equal_plain_python(goog, held):
    expected = sorted(drawdowns_again([(bar[0], bar[3] * 100) for bar in goog], 10_000.0), key=lambda d: d["depth"])
    days = [(d["end"] - d["peak"]).total_seconds() / 86_400 for d in expected]

    table = deepest_drawdowns(**held, count=10)
    for ours, theirs in (("peak_ts_ns", "peak"), ("valley_ts_ns", "valley"), ("recovery_ts_ns", "recovery")):
        times = [d[theirs] and int(d[theirs].timestamp()) * 10**9 for d in expected[:10]]
        assert table[ours].to_list() == times
    assert table["depth"].to_list() == pytest.approx([d["depth"] for d in expected[:10]])
    assert table["days"].to_list() == pytest.approx(days[:10])

    metrics = measured(**held)
    assert metrics.max_drawdown == pytest.approx(expected[0]["depth"])
    assert (metrics.max_drawdown_days, metrics.longest_drawdown_days) == pytest.approx((days[0], max(days)))
    assert metrics.average_drawdown == pytest.approx(statistics.fmean(d["depth"] for d in expected))
    assert metrics.calmar == pytest.approx(metrics.cagr / -expected[0]["depth"])
    squares = [(bar[3] / max(100.0, *(b[3] for b in goog[: n + 1])) - 1) ** 2 for n, bar in enumerate(goog)]
    assert metrics.ulcer_index == pytest.approx(math.sqrt(statistics.fmean(squares)))


@pytest.mark.realdata
def test_rolling_ratios_of_goog_equal_plain_python(held, returns):
    rolling = rolling_ratios(daily_returns(**held), 63)
    assert rolling.columns == ["date", "volatility", "sharpe", "sortino"]
    assert rolling.head(62).select(pl.exclude("date")).null_count().row(0) == (62, 62, 62)
    for end in range(63, len(returns) + 1, 97):
        window = returns[end - 63 : end]
        mean, deviation = statistics.fmean(window), statistics.stdev(window)
        downside = math.sqrt(math.fsum(min(value, 0) ** 2 for value in window) / 63)
        expected = [value * math.sqrt(252) for value in (deviation, mean / deviation, mean / downside)]
        assert rolling.row(end - 1)[1:] == pytest.approx(expected, rel=1e-9)


def month_trade(bars: list[Bar]) -> dict:
    """From the month's first close to its last, long in odd months and short in even ones."""
    (opened, _, _, price), sign = bars[0], 1 if bars[0][0].month % 2 else -1
    reach = [0, *(sign * (extreme / price - 1) for bar in bars[1:] for extreme in bar[1:3])]
    change = sign * (bars[-1][3] / price - 1)
    times = {"entry_ts_ns": int(opened.timestamp()) * 10**9, "exit_ts_ns": int(bars[-1][0].timestamp()) * 10**9}
    profit = trade(change * (opened.year - 2000) * 100, mae=min(reach), mfe=max(reach))
    return profit | times | {"return": change, "bars": len(bars) - 1}


@pytest.mark.realdata
def test_trades_on_goog_equal_plain_python(goog):
    months = (list(bars) for _, bars in itertools.groupby(goog, key=lambda bar: (bar[0].year, bar[0].month)))
    rows = [month_trade(bars) for bars in months if len(bars) > 1]
    metrics = measured([100], trades=frame(*rows))

    wins, losses = ([row for row in rows if sign * row["profit"] > 0] for sign in (1, -1))
    won, lost = ([abs(row["profit"]) for row in side] for side in (wins, losses))
    odds = statistics.fmean(r["return"] for r in wins) / -statistics.fmean(r["return"] for r in losses)
    runs = [(win, len(list(run))) for win, run in itertools.groupby(rows, key=lambda row: row["profit"] > 0)]
    held_s = [(row["exit_ts_ns"] - row["entry_ts_ns"]) // 10**9 for row in rows]
    expected = {
        "closed_trades": 103,
        "win_rate": len(wins) / 103,
        "profit_factor": math.fsum(won) / math.fsum(lost),
        "expectancy": (math.fsum(won) - math.fsum(lost)) / 103,
        "payoff_ratio": statistics.fmean(won) / statistics.fmean(lost),
        "kelly_fraction": len(wins) / 103 - len(losses) / 103 / odds,
        "best_trade_return": max(row["return"] for row in rows),
        "worst_trade_return": min(row["return"] for row in rows),
        "average_trade_return": statistics.fmean(row["return"] for row in rows),
        "average_holding_s": statistics.fmean(held_s),
        "longest_holding_s": max(held_s),
        "average_holding_bars": statistics.fmean(row["bars"] for row in rows),
        "longest_holding_bars": max(row["bars"] for row in rows),
        "longest_winning_streak": max(length for win, length in runs if win),
        "longest_losing_streak": max(length for win, length in runs if not win),
        "average_mfe": statistics.fmean(row["mfe"] for row in rows),
        "average_mae": statistics.fmean(row["mae"] for row in rows),
    }
    assert {name: getattr(metrics, name) for name in expected} == pytest.approx(expected, rel=1e-10)


@pytest.mark.realdata
def test_minutes_of_bitcoin_are_365_days_of_the_last_minute(realdata):
    bars = pl.read_csv(realdata / "bars" / "btc_perp_1m_20211231_20220201.csv.gz")
    times = [datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(minutes=1) for text in bars["timestamp"]]
    ts_ns = np.array([int(time.timestamp()) * 10**9 for time in times])
    equity = bars["close"].to_numpy() * 0.5
    daily = daily_returns(ts_ns, equity, 23_159.5)

    last = {(time - timedelta(microseconds=1)).date(): value for time, value in zip(times, equity, strict=True)}
    before = [23_159.5, *last.values()]
    assert daily["date"].to_list() == list(last)
    assert daily["return"].to_list() == pytest.approx([b / a - 1 for a, b in itertools.pairwise(before)])
    metrics = measured(equity, ts_ns=ts_ns, initial=23_159.5)
    assert (metrics.days, metrics.periods_per_year, metrics.bars) == (33, 365, 45_031)
    assert metrics.max_drawdown == pytest.approx(
        min(d["depth"] for d in drawdowns_again(list(zip(times, equity, strict=True)), 23_159.5))
    )


@pytest.mark.realdata
def test_currencies_open_on_sunday_and_count_as_252(realdata):
    hours = pl.read_csv(realdata / "bars" / "backtesting_EURUSD.csv", columns=[0]).to_series()
    ts_ns = hours.str.to_datetime().dt.epoch("ns").to_numpy() + 3600 * 10**9
    dates = daily_returns(ts_ns, np.ones(ts_ns.size), 1.0)["date"]
    assert sorted(dates.dt.weekday().unique()) == [1, 2, 3, 4, 5, 7]
    assert periods_per_year(dates) == 252


# --- vectors computed by others


@pytest.mark.realdata
def test_rolling_sortino_equals_the_vectors_of_lean(realdata):
    with (realdata / "reference" / "lean" / "spy_sortino.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    ts_ns = np.array([int(datetime.fromisoformat(row["time"]).timestamp()) * 10**9 for row in rows])
    prices = np.array([float(row["close"]) for row in rows])
    daily = daily_returns(ts_ns[1:], prices[1:], prices[0])
    for name, rate in (("sortino_rf_0_period_15", 0.0), ("sortino_rf_0.01_period_15", 0.01)):
        sortino = rolling_ratios(daily, 15, risk_free=(1 + rate) ** 252 - 1)["sortino"] / math.sqrt(252)
        expected = [float(row[name]) if row[name] else None for row in rows[1:]]
        assert sum(value is not None for value in expected) > 50
        assert sortino.to_list() == [near(value, rel=1e-8) for value in expected]


def quotes(path: Path) -> pl.DataFrame:
    bars = pl.read_csv(path, try_parse_dates=True)
    return bars.select("date", pl.col("close").pct_change().alias("return")).drop_nulls()


@pytest.mark.realdata
def test_beta_equals_the_vectors_of_stock_indicators(realdata):
    folder = realdata / "reference" / "stock_indicators"
    with gzip.open(folder / "results.jsonl.gz", "rt") as lines:
        results = next(r["result"] for r in map(json.loads, lines) if r["file"] == "beta.standard.json")
    ours, market = quotes(folder / "quotes_compare.csv"), quotes(folder / "quotes_default.csv")
    for end in range(50, len(results), 37):
        window = slice(end - 50, end)
        assert relative_to(ours[window], market).beta == pytest.approx(results[end]["beta"], rel=1e-9)
    betas = rolling_beta(ours, market, 50).to_list()
    assert betas == [None] * 49 + [near(each["beta"]) for each in results[50:]]

    # then alpha and correlation over all days, from the regression of others
    x, y = market["return"].to_list(), ours["return"].to_list()
    line, relative = statistics.linear_regression(x, y), relative_to(ours, market)
    assert (relative.days, relative.beta) == (501, pytest.approx(line.slope))
    assert relative.alpha == pytest.approx(line.intercept * 252)
    assert relative.correlation == pytest.approx(statistics.correlation(x, y))


def test_alpha_is_over_the_risk_free_return_on_common_days():
    start = date(2024, 1, 1)
    dates = [start + timedelta(days=n) for n in range(4)]
    ours = pl.DataFrame({"date": dates, "return": [0.05, 0.01, None, 0.03]})
    market = pl.DataFrame({"date": [*dates[1:], date(2024, 2, 1)], "return": [0.0, 0.5, 0.01, 0.5]})
    # given 0.01 at 0.00 and 0.03 at 0.01: a slope of 2 through 0.01
    relative = relative_to(ours, market)
    assert (relative.days, relative.beta, relative.correlation) == (2, pytest.approx(2), pytest.approx(1))
    assert relative.alpha == pytest.approx(0.01 * 252)
    over = relative_to(ours, market, risk_free=1.001**252 - 1)
    assert over.alpha == pytest.approx((0.02 - 0.001 - 2 * (0.005 - 0.001)) * 252)


def test_a_benchmark_that_stands_still_has_no_beta():
    daily = daily_returns(closes(3), np.array([101.0, 99, 104]), 100.0)
    flat = daily_returns(closes(3), np.array([1.0, 1, 1]), 1.0)
    relative = relative_to(daily, flat)
    assert (relative.beta, relative.alpha, relative.correlation) == (None, None, None)
    assert relative_to(daily, flat.clear()).beta is None


def test_a_beta_of_some_days_is_not_made_up():
    dates = [date(2024, 1, 1) + timedelta(days=n) for n in range(5)]
    ours = pl.DataFrame({"date": dates, "return": [0.02, 0.04, 0.06, None, 0.01]})
    market = pl.DataFrame({"date": dates[:4], "return": [0.01, 0.02, 0.03, 0.04]})
    assert rolling_beta(ours, market, 2).to_list() == [None, near(2), near(2), None, None]
    assert rolling_beta(ours, market.with_columns(pl.lit(0.0).alias("return")), 2).is_null().all()
    assert rolling_beta(ours, market, 6).is_null().all()


# --- properties

EQUITIES = st.lists(st.integers(1, 10_000).map(float), max_size=40)
STEPS_NS = st.sampled_from([60 * 10**9, 3600 * 10**9, 8 * 3600 * 10**9, DAY_NS, 3 * DAY_NS])
PROFITS = st.lists(st.integers(-50, 50).map(float), max_size=30)


def trades_of(profits: list[float]) -> pl.DataFrame:
    return frame(*(trade(profit, opened=n) for n, profit in enumerate(profits)))


@given(EQUITIES, STEPS_NS, PROFITS, st.floats(0.01, 1000))
def test_a_constant_factor_changes_no_ratio(values, step_ns, profits, factor):
    equity, ts_ns, trades = np.array([100.0, *values]), closes(len(values) + 1, step_ns), trades_of(profits)
    one = measured(equity, ts_ns=ts_ns, trades=trades, turnover=500.0, fees=1.0)
    scaled = trades.with_columns(pl.col("profit") * factor)
    other = measured(
        equity * factor, ts_ns=ts_ns, trades=scaled, turnover=500.0 * factor, fees=factor, initial=100.0 * factor
    )
    for name, value in msgspec.structs.asdict(one).items():
        expected = value * factor if name in MONEY and value is not None else value
        assert getattr(other, name) == near(expected, rel=1e-6, abs=1e-9), name


@given(EQUITIES, STEPS_NS)
def test_a_drawdown_is_never_above_zero(values, step_ns):
    equity, ts_ns = np.array(values), closes(len(values), step_ns)
    series = drawdown_series(equity, 100.0)
    assert ((series <= 0) & (series > -1)).all()
    peaks = list(itertools.accumulate([100.0, *values], max))[1:]
    assert [value == 0 for value in series] == [a >= b for a, b in zip(values, peaks, strict=True)]
    table = deepest_drawdowns(ts_ns, equity, 100.0, count=100)
    assert table["depth"].to_list() == sorted(table["depth"].to_list())
    assert (table["peak_ts_ns"] <= table["valley_ts_ns"]).all()
    assert (table["recovery_ts_ns"].drop_nulls().len()) >= table.height - 1
    if values:
        assert measured(values, ts_ns=ts_ns).max_drawdown == series.min()


@given(EQUITIES.filter(lambda values: len(values) > 1), st.integers(1, 100))
def test_a_flat_tail_brings_growth_nearer_to_none(values, tail):
    short, longer = measured(values), measured([*values, *[values[-1]] * tail])
    assert longer.total_return == short.total_return
    if short.cagr is not None and short.total_return > 0:
        assert 0 < longer.cagr < short.cagr
    elif short.cagr is not None:
        assert short.cagr <= longer.cagr <= 0


ANY_MONEY = st.floats(-1e12, 1e12) | st.sampled_from([0.0, 1e-12, 1e150, -1e150, 5e-324])
ANY_TRADES = st.lists(st.tuples(ANY_MONEY, st.booleans()), max_size=6)


@given(st.lists(ANY_MONEY, max_size=12), STEPS_NS, ANY_TRADES, st.floats(1e-6, 1e12), st.floats(-0.5, 2))
def test_nan_and_infinity_never_come_out(values, step_ns, outcomes, initial, risk_free):
    rows = [trade(profit, opened=n, closed=closed) for n, (profit, closed) in enumerate(outcomes)]
    exposure = [math.inf if value == 0 else 1 / value for value in values]
    ts_ns = closes(len(values), step_ns)
    more = {"trades": frame(*rows), "exposure": exposure, "turnover": 1e9, "risk_free": risk_free}
    metrics = msgspec.structs.asdict(measured(values, ts_ns=ts_ns, initial=initial, **more))
    assert {name for name, value in metrics.items() if value is not None and not math.isfinite(value)} == set()
    assert {type(value) for value in metrics.values()} <= {int, float, type(None)}

    daily = daily_returns(ts_ns, np.array(values), initial)
    frames = [daily, monthly_returns(daily, initial), rolling_ratios(daily, 3, risk_free=risk_free)]
    for column in (column for drawn in frames for column in drawn.iter_columns() if column.dtype == pl.Float64):
        assert column.drop_nulls().is_finite().all()


@given(PROFITS)
def test_trades_equal_a_walk_through_them(profits):
    metrics = measured([100], trades=trades_of(profits))
    gross_win, gross_loss = sum(p for p in profits if p > 0), -sum(p for p in profits if p < 0)
    assert metrics.profit_factor == (pytest.approx(gross_win / gross_loss) if gross_loss else None)
    signs = [(sign, len(list(run))) for sign, run in itertools.groupby(profits, key=lambda p: (p > 0) - (p < 0))]
    assert metrics.longest_winning_streak == max((length for sign, length in signs if sign > 0), default=0)
    assert metrics.longest_losing_streak == max((length for sign, length in signs if sign < 0), default=0)
    assert metrics.expectancy == (pytest.approx(statistics.fmean(profits)) if profits else None)


@given(EQUITIES, STEPS_NS)
def test_daily_and_monthly_returns_compound_to_the_total(values, step_ns):
    ts_ns = closes(len(values), step_ns)
    daily = daily_returns(ts_ns, np.array(values), 100.0)
    for returns in (daily["return"], monthly_returns(daily, 100.0)["return"]):
        total = math.prod(1 + value for value in returns)
        assert total == pytest.approx(values[-1] / 100 if values else 1)


@given(EQUITIES, EQUITIES, st.integers(2, 10))
def test_what_comes_later_changes_nothing_before(values, later, window):
    def drawn(equity):
        daily = daily_returns(closes(len(equity)), np.array(equity), 100.0)
        # the calendar alone may look ahead: it says how many days a year has
        ratios = rolling_ratios(daily, window).select(pl.exclude("date") / math.sqrt(periods_per_year(daily["date"])))
        return pl.concat([daily, ratios], how="horizontal"), drawdown_series(np.array(equity), 100.0)

    (before, depths), (after, all_depths) = drawn(values), drawn(values + later)
    assert after.head(len(values)).rows() == [
        tuple(near(value) if isinstance(value, float) else value for value in row) for row in before.rows()
    ]
    assert (all_depths[: len(values)] == depths).all()


@given(EQUITIES.filter(lambda values: len(values) > 1), st.floats(0, 0.5))
def test_a_window_over_all_days_equals_the_whole(values, risk_free):
    daily = daily_returns(closes(len(values)), np.array(values), 100.0)
    last = rolling_ratios(daily, len(values), risk_free=risk_free).row(-1)[1:]
    whole = measured(values, risk_free=risk_free)
    assert last == tuple(near(value) for value in (whole.annual_volatility, whole.sharpe, whole.sortino))
