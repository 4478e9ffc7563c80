"""What a backtest comes to: returns, risk, exposure and trades.

A day is a UTC day; a close at midnight belongs to the day that it ends. Daily returns are simple, from the last equity
of each day that has a bar to that of the next; the first day's is from the initial equity. Standard deviations are of
the sample (ddof = 1). What is undefined is None in `Metrics` and null in frames: a spread or a yearly figure of one
day, a ratio to no losses or to no volatility, whatever is made of returns once equity was not above 0.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from tradingd.backtesting.drawdowns import DAY_NS, Floats, Ints, drawdown_figures, drawdown_series, runs
from tradingd.reducers.post import FINANCING

DAYS_PER_YEAR = 365.25
YEARS_MIN = (
    350 / DAYS_PER_YEAR
)  # growth of less than a year is not annualised (GIPS 2020); a year of sessions ends early
SATURDAY, SUNDAY = 5, 6
# Equity is rounded, and so are returns, by some 1e-16: below this a return is 0, and constant growth has no volatility.
NOISE = 1e-13

Figures = dict[str, float]
NO_FINANCING: Mapping[str, float] = dict.fromkeys(FINANCING, 0.0)


class Metrics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys are stable. Fractions, not percent; money in the account's currency; None where undefined."""

    bars: int
    days: int  # that have a bar
    years: float | None  # of the calendar, first and last day included; None of one day
    periods_per_year: int  # 365 if there are bars on Saturdays and on Sundays, else 252: annualises daily figures
    initial_equity: float
    final_equity: float | None

    total_return: float | None
    cagr: float | None  # compound annual growth rate; None of less than 350 days
    annual_volatility: float | None  # of daily returns
    sharpe: float | None  # annual; Sharpe 1994, over the risk-free return
    probabilistic_sharpe: float | None  # probability that the true Sharpe ratio is above 0; Bailey, Lopez de Prado 2012
    sortino: float | None  # annual; downside deviation over all days; Sortino, Price 1994
    calmar: float | None  # cagr / depth of the deepest drawdown, of the whole run; Young 1991
    omega: float | None  # gains / losses of days, from the risk-free return; Keating, Shadwick 2002
    var_95: float | None  # historical value at risk: the 5 % quantile of daily returns, negative for a loss
    cvar_95: float | None  # mean of the daily returns up to var_95
    skewness: float | None  # of daily returns, moments of the population
    excess_kurtosis: float | None  # likewise; 0 for a normal distribution
    tail_ratio: float | None  # 95 % quantile of daily returns / loss at the 5 % quantile
    best_day: float | None
    worst_day: float | None
    positive_days: float | None  # fraction of the days
    best_month: float | None
    worst_month: float | None
    positive_months: float | None  # fraction of the months

    max_drawdown: float | None  # at most 0, of all closes
    max_drawdown_days: float | None  # of the deepest one: from its peak to the recovery or to the last close
    longest_drawdown_days: float | None
    average_drawdown: float | None  # mean depth of all drawdowns
    ulcer_index: float | None  # root mean square of the daily drawdown; Martin 1987

    time_in_market: float | None  # fraction of bars with a position
    average_exposure: float | None  # mean of |notional| / equity over all bars
    max_exposure: float | None
    turnover: float  # notional traded, money
    turnover_per_year: float | None  # in average equities
    fees: float  # money
    financing: float  # money that holding has cost, below 0 where it has earned: the sum of the next three
    borrow: float
    funding: float
    interest: float

    closed_trades: int  # what follows is of these, in money where it does not say return
    open_trades: int
    win_rate: float | None
    profit_factor: float | None  # gross win / gross loss
    expectancy: float | None  # mean profit
    average_win: float | None
    average_loss: float | None  # negative
    payoff_ratio: float | None  # average win / average loss
    kelly_fraction: float | None  # W - (1 - W) / R, from returns, without those that broke even; Kelly 1956
    best_trade_return: float | None
    worst_trade_return: float | None
    average_trade_return: float | None
    average_holding_s: float | None
    longest_holding_s: float | None
    average_holding_bars: float | None
    longest_holding_bars: int | None
    longest_winning_streak: int  # in order of exit; a trade that broke even ends both streaks
    longest_losing_streak: int
    average_mfe: float | None  # maximum favourable excursion, fraction of the entry price
    average_mae: float | None  # maximum adverse excursion, at most 0


class Relative(Struct, frozen=True, kw_only=True):
    """To a benchmark."""

    days: int  # that both have
    beta: float | None
    alpha: float | None  # annual; Jensen 1968
    correlation: float | None


def metrics_of(
    ts_ns: Ints,
    equity: Floats,
    exposure: Floats,
    trades: pl.DataFrame,
    *,
    turnover: float,
    fees: float,
    initial: float,
    financing: Mapping[str, float] = NO_FINANCING,
    risk_free: float = 0.0,
) -> Metrics:
    """Of one run.

    `ts_ns`: (n,) closes of the bars in UTC, rising. `equity`: (n,) money at each close. `exposure`: (n,) signed
    notional / equity after each bar. `turnover`, `fees`, `initial`: money, as are `financing`, by its kinds.
    `risk_free`: return per year.
    `trades`: a row per round trip with entry_ts_ns, exit_ts_ns (null: open), profit (money, after fees), return
    (profit / entry notional), bars (held), mae and mfe (fractions of the entry price); no other column is read.

    Raises ValueError where times and equity are no such series or `initial` is not above 0.
    """
    daily = daily_returns(ts_ns, equity, initial)
    periods, years = periods_per_year(daily["date"]), _years(daily["date"])
    with np.errstate(all="ignore"):
        figures: Figures = {
            "bars": equity.size,
            "days": daily.height,
            "years": years,
            "periods_per_year": periods,
            "initial_equity": initial,
            "turnover": turnover,
            "fees": fees,
            "financing": sum(financing.values()),
            **financing,
            **_growth(equity, initial, years),
            **_return_figures(_returns(daily, equity), periods, risk_free),
            **_month_figures(_returns(monthly_returns(daily, initial), equity)),
            **drawdown_figures(ts_ns, equity, initial),
            "ulcer_index": np.sqrt(_mean(drawdown_series(daily["equity"].to_numpy(), initial) ** 2)),
            **_exposure_figures(exposure),
            "turnover_per_year": turnover / _positive(_mean(equity)) / years,
            **_trade_figures(trades),
        }
        figures["calmar"] = figures["cagr"] / np.float64(-figures["max_drawdown"])
    return msgspec.convert({name: _plain(value) for name, value in figures.items()}, Metrics)


def daily_returns(ts_ns: Ints, equity: Floats, initial: float) -> pl.DataFrame:
    """date, equity (the last of the day), return. Raises ValueError as `metrics_of` does."""
    _check(ts_ns, equity, initial)
    days = (ts_ns - 1) // DAY_NS
    last = _last_of_each(days)
    dates = pl.Series("date", days[last].astype(np.int32)).cast(pl.Date)
    return pl.DataFrame([dates, pl.Series("equity", equity[last]), _simple_returns(equity[last], initial)])


def monthly_returns(daily: pl.DataFrame, initial: float) -> pl.DataFrame:
    """year, month, return, from the rows of `daily_returns`; the first and the last may be parts of a month."""
    year, month = daily["date"].dt.year().alias("year"), daily["date"].dt.month().alias("month")
    last = _last_of_each((year * 12 + month).to_numpy())
    return pl.DataFrame([year[last], month[last], _simple_returns(daily["equity"].to_numpy()[last], initial)])


def rolling_ratios(daily: pl.DataFrame, window_days: int, *, risk_free: float = 0.0) -> pl.DataFrame:
    """date, volatility, sharpe, sortino, annual, of the last `window_days` rows of `daily_returns` (at least 2).

    Null until there are as many.
    """
    if window_days < 2:
        raise ValueError(f"a window of {window_days} days has no volatility: take 2 or more")
    periods = periods_per_year(daily["date"])
    warm = max(daily.height - window_days + 1, 0)
    columns = np.full((3, daily.height), np.nan)
    if warm:
        windows = np.lib.stride_tricks.sliding_window_view(daily["return"].to_numpy(), window_days)
        columns[:, -warm:] = _annual(windows, periods, risk_free)
    named = zip(("volatility", "sharpe", "sortino"), columns, strict=True)
    return pl.DataFrame([daily["date"], *(_with_nulls(name, column) for name, column in named)])


def rolling_beta(daily: pl.DataFrame, benchmark: pl.DataFrame, window_days: int) -> pl.Series:
    """Of the last `window_days` rows of `daily` (at least 2), to the returns that `benchmark` has on the same dates.

    Null until there are as many, and where one of them has no return. Both frames are as of `daily_returns`.
    """
    market = daily.join(benchmark.select("date", market="return"), on="date", how="left", maintain_order="left")
    betas = np.full(daily.height, np.nan)
    if daily.height >= window_days:
        view = np.lib.stride_tricks.sliding_window_view
        ours, theirs = (view(market[name].to_numpy(), window_days) for name in ("return", "market"))
        own, common = (_rounded(values - values.mean(-1, keepdims=True)) for values in (ours, theirs))
        with np.errstate(all="ignore"):
            betas[window_days - 1 :] = (own * common).sum(-1) / (common**2).sum(-1)
    return _with_nulls("beta", betas)


def relative_to(daily: pl.DataFrame, benchmark: pl.DataFrame, *, risk_free: float = 0.0) -> Relative:
    """Both with date and return, as of `daily_returns`; days that only one of them has are left out."""
    market = benchmark.select("date", pl.col("return").alias("benchmark"))
    both = daily.join(market, on="date").select("return", "benchmark").drop_nulls()
    periods = periods_per_year(daily["date"])
    ours, theirs = (both[name].to_numpy() - _per_day(risk_free, periods) for name in ("return", "benchmark"))
    with np.errstate(all="ignore"):
        own, common = (_rounded(values - _mean(values)) for values in (ours, theirs))
        beta = (own * common).sum() / (common**2).sum()
        return Relative(
            days=both.height,
            beta=_finite(beta),
            alpha=_finite((_mean(ours) - beta * _mean(theirs)) * periods),
            correlation=_finite((own * common).sum() / np.sqrt((own**2).sum() * (common**2).sum())),
        )


def periods_per_year(dates: pl.Series) -> int:
    """365 for a market that trades at weekends, else 252.

    It takes Saturdays and Sundays: in UTC currencies open on Sunday, and what New York trades late falls on Saturday.
    """
    weekdays = (dates.to_physical().to_numpy() + 3) % 7  # day 0 was a Thursday
    return 365 if (weekdays == SATURDAY).any() and (weekdays == SUNDAY).any() else 252


def _check(ts_ns: Ints, equity: Floats, initial: float) -> None:
    if ts_ns.shape != equity.shape:
        raise ValueError(f"equity has {equity.size} values, the bars have {ts_ns.size} closes")
    if not initial > 0:
        raise ValueError(f"initial equity {initial} is not above 0")
    if not (ts_ns[1:] > ts_ns[:-1]).all():
        raise ValueError("the closes of the bars do not rise")
    if not np.isfinite(equity).all():
        raise ValueError(f"equity at close {int(np.argmin(np.isfinite(equity)))} is not a finite number")


def _last_of_each(groups: NDArray[Any]) -> NDArray[np.intp]:
    """Index of the last row of each stretch of equal values."""
    return np.flatnonzero(np.append(groups[1:] != groups[:-1], np.ones(min(groups.size, 1), dtype=bool)))


@np.errstate(all="ignore")
def _simple_returns(values: Floats, initial: float) -> pl.Series:
    before = np.concatenate(([initial], values[:-1]))
    return _with_nulls("return", np.where(before > 0, (values - before) / before, np.nan))


def _with_nulls(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, np.where(np.isfinite(values), values, np.nan), nan_to_null=True)


def _years(dates: pl.Series) -> float:
    if len(dates) < 2:
        return np.nan
    return float(dates.to_physical()[-1] - dates.to_physical()[0] + 1) / DAYS_PER_YEAR


def _returns(frame: pl.DataFrame, equity: Floats) -> Floats:
    """One NaN, which makes everything undefined, where there are none or equity was not above 0 at some close."""
    sound = frame.height and not frame["return"].has_nulls() and (equity > 0).all()
    return frame["return"].to_numpy() if sound else np.array([np.nan])


def _growth(equity: Floats, initial: float, years: float) -> Figures:
    final = equity[-1] if equity.size else np.float64(np.nan)
    lasting = final if (equity > 0).all() and years >= YEARS_MIN else np.nan
    return {
        "final_equity": final,
        "total_return": (final - initial) / initial,
        "cagr": np.expm1(np.log(lasting / initial) / years),
    }


def _return_figures(returns: Floats, periods: int, risk_free: float) -> Figures:
    volatility, sharpe, sortino = _annual(returns, periods, risk_free)
    skewness, excess_kurtosis = _shape(returns)
    excess = _rounded(returns - _per_day(risk_free, periods))
    low, high = np.quantile(returns, (0.05, 0.95))
    return {
        "annual_volatility": volatility,
        "sharpe": sharpe,
        "probabilistic_sharpe": _probabilistic(sharpe / np.sqrt(periods), skewness, excess_kurtosis, returns.size),
        "sortino": sortino,
        "omega": np.maximum(excess, 0).sum() / np.maximum(-excess, 0).sum(),
        "var_95": low,
        "cvar_95": _mean(returns[returns <= low]),
        "skewness": skewness,
        "excess_kurtosis": excess_kurtosis,
        "tail_ratio": high / -low if low < 0 else np.nan,
        "best_day": returns.max(),
        "worst_day": returns.min(),
        "positive_days": _positive_fraction(returns),
    }


@np.errstate(all="ignore")
def _annual(returns: Floats, periods: int, risk_free: float) -> tuple[Any, Any, Any]:
    """(volatility, Sharpe, Sortino) of daily returns along the last axis."""
    excess = _rounded(returns - _per_day(risk_free, periods))
    mean, root = excess.mean(-1), np.sqrt(periods)
    centred = _rounded(returns - returns.mean(-1, keepdims=True))
    deviation = np.sqrt(np.divide((centred**2).sum(-1), returns.shape[-1] - 1))
    downside = np.sqrt((np.minimum(excess, 0) ** 2).mean(-1)) if returns.shape[-1] > 1 else np.nan
    return deviation * root, mean / deviation * root, mean / downside * root


def _shape(returns: Floats) -> tuple[Any, Any]:
    """(skewness, excess kurtosis) from the moments of the population."""
    centred = _rounded(returns - returns.mean())
    variance = (centred**2).mean()
    return (centred**3).mean() / variance**1.5, (centred**4).mean() / variance**2 - 3


def _probabilistic(sharpe: float, skewness: float, excess_kurtosis: float, days: int) -> float:
    """Of a daily Sharpe ratio, against 0. Bailey, Lopez de Prado: The Sharpe Ratio Efficient Frontier, 2012."""
    # a square where returns have but two values, so rounding may leave it below 0
    spread = np.maximum(1 - skewness * sharpe + (excess_kurtosis + 2) / 4 * sharpe**2, 0)
    return math.erfc(-sharpe * np.sqrt((days - 1) / spread) / math.sqrt(2)) / 2


def _month_figures(returns: Floats) -> Figures:
    best, worst = returns.max(), returns.min()
    return {"best_month": best, "worst_month": worst, "positive_months": _positive_fraction(returns)}


def _exposure_figures(exposure: Floats) -> Figures:
    size = np.abs(exposure)
    return {
        "time_in_market": np.divide(np.count_nonzero(exposure), exposure.size),
        "average_exposure": _mean(size),
        "max_exposure": size.max(initial=-np.inf),
    }


def _trade_figures(trades: pl.DataFrame) -> Figures:
    closed = trades.filter(pl.col("exit_ts_ns").is_not_null()).sort("exit_ts_ns", maintain_order=True)
    profit, returns, bars, mfe, mae = (_column(closed[name]) for name in ("profit", "return", "bars", "mfe", "mae"))
    holding_s = _column(closed["exit_ts_ns"] - closed["entry_ts_ns"]) / 1e9
    wins, losses = profit > 0, profit < 0
    return {
        "closed_trades": closed.height,
        "open_trades": trades.height - closed.height,
        "win_rate": _mean(wins),
        "profit_factor": profit[wins].sum() / -profit[losses].sum(),
        "expectancy": _mean(profit),
        "average_win": _mean(profit[wins]),
        "average_loss": _mean(profit[losses]),
        "payoff_ratio": _mean(profit[wins]) / -_mean(profit[losses]),
        "kelly_fraction": _kelly(returns[wins], returns[losses]),
        "best_trade_return": returns.max(initial=-np.inf),
        "worst_trade_return": returns.min(initial=np.inf),
        "average_trade_return": _mean(returns),
        "average_holding_s": _mean(holding_s),
        "longest_holding_s": holding_s.max(initial=-np.inf),
        "average_holding_bars": _mean(bars),
        "longest_holding_bars": int(bars.max()) if bars.size else np.nan,
        "longest_winning_streak": _longest(wins),
        "longest_losing_streak": _longest(losses),
        "average_mfe": _mean(mfe),
        "average_mae": _mean(mae),
    }


def _kelly(won: Floats, lost: Floats) -> float:
    win_rate = np.divide(won.size, won.size + lost.size)
    return float(win_rate - (1 - win_rate) * -_mean(lost) / _mean(won))


def _longest(flags: NDArray[np.bool_]) -> int:
    firsts, borders = runs(flags)
    return int((borders - firsts).max(initial=0))


def _column(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).to_numpy()


def _per_day(risk_free: float, periods: int) -> float:
    return math.expm1(math.log1p(risk_free) / periods)


def _rounded(values: Floats) -> Floats:
    return np.where(np.abs(values) < NOISE, 0.0, values)


def _mean(values: NDArray[Any]) -> Any:
    """NaN of nothing, without a warning."""
    return np.divide(values.sum(), values.size)


def _positive(value: float) -> float:
    return value if value > 0 else np.nan


def _positive_fraction(returns: Floats) -> Any:
    return np.heaviside(returns, 0.0).mean()  # NaN stays NaN


def _plain(value: float) -> float | None:
    return value if isinstance(value, int) else _finite(value)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
