"""What the charts and the table of trades draw from, as columns of plain numbers."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from tradingd.backtesting.drawdowns import DAY_NS, drawdown_series
from tradingd.backtesting.metrics import daily_returns, rolling_beta, rolling_ratios
from tradingd.backtesting.report.figures import money_decimals
from tradingd.backtesting.report.protection import protection
from tradingd.backtesting.report.sampling import (
    NS,
    bucket_size,
    candles,
    kept,
    last_of_buckets,
    means,
    rounded,
    seconds,
)
from tradingd.backtesting.result import Result
from tradingd.columns import F64
from tradingd.feeds.bars.table import Bars
from tradingd.kernels.book import OPEN
from tradingd.kernels.trips import STILL_OPEN
from tradingd.strategies.contract import CompiledStrategy, StrategyError

CANDLES_MAX = 8_000
CURVE_MAX = 6_000  # points that need no sampling
CURVE_BUCKETS = 1_000  # each of up to eight points where it does
DIGITS = 7  # of prices
TRADES_MAX = 10_000
ROLLING_DAYS = (126, 63, 21)  # the longest of which there are at least two
ROLLING_MAX = 4_000

Series = dict[str, Any]


def chart_data(result: Result) -> Series:
    size = bucket_size(len(result.bars), CANDLES_MAX)
    return {
        "bars_per_candle": size,
        "bar_s": bar_seconds(result.bars),
        "precision": price_decimals(result),
        "money_decimals": money_decimals(initial_equity(result)),
        "currency": result.settings.account.currency,
        "candles": candles(result.bars, size),
        "lines": _over_candles(lines(result), result, size),
        "protection": _over_candles(protection(result.executed) if has_protection(result, size) else {}, result, size),
        "curve": curve(result),
        "rolling": rolling(result),
        "trades": trades(result),
    }


def lines(result: Result) -> dict[str, F64]:
    """What the strategy declares, (n,) prices by name. Raises StrategyError."""
    strategy, params = result.library[result.settings.kind], result.settings.strategy
    if isinstance(strategy, CompiledStrategy):
        drawn = strategy.lines(strategy.resolve(params), result.bars)
    else:
        instance = strategy.instantiate(params)
        drawn = instance.strategy.lines(instance.params, result.bars)
    return {name: _checked(name, values, result) for name, values in drawn.items()}


def _checked(name: str, values: F64, result: Result) -> F64:
    column = np.asarray(values, np.float64)
    if column.shape != (len(result.bars),):
        raise StrategyError(
            f"strategy {result.settings.kind}: line {name!r} is {column.shape}, and there are {len(result.bars)} bars"
        )
    return column


def _over_candles(columns: dict[str, F64], result: Result, size: int) -> Series:
    """As they were at the end of each candle; those that never have a value are left out."""
    at, decimals = last_of_buckets(len(result.bars), size), price_decimals(result) + 2
    return {name: rounded(values[at], decimals) for name, values in columns.items() if not np.isnan(values[at]).all()}


def has_protection(result: Result, size: int) -> bool:
    """Stops of trades that are shorter than a candle would only be noise."""
    return size == 1 or (result.metrics.average_holding_bars or 0.0) >= size


def price_decimals(result: Result) -> int:
    """Of the tick size, as long as they are among the first digits of a price."""
    exponent = Decimal(repr(result.settings.instrument.tick_size)).normalize().as_tuple().exponent
    largest = float(np.abs(result.bars.close).max()) or 1.0
    return max(0, min(-int(exponent), DIGITS - 1 - math.floor(math.log10(largest))))


def bar_seconds(bars: Bars) -> float:
    """From open to open, as it is mostly."""
    if len(bars) == 1:
        return float(bars.ts_close_ns[0] - bars.ts_open_ns[0]) / NS
    return float(np.median(np.diff(bars.ts_open_ns))) / NS


def initial_equity(result: Result) -> float:
    return result.executed.balance_units / result.settings.account.units_per_one


def held_prices(result: Result) -> F64 | None:
    """Equity of who bought for all money at the first open and held, without costs; None where that was not above 0."""
    first = float(result.bars.open[0])
    return initial_equity(result) * result.bars.close / first if first > 0 else None


def curve(result: Result) -> Series:
    """After each bar: equity, what it was below its peak, what holding would have been, and exposure.

    Of more than CURVE_MAX bars the lows and highs of each bucket are kept, and exposure is the bucket's mean.
    """
    initial, equity, held = initial_equity(result), result.executed.equity, held_prices(result)
    below = drawdown_series(equity, initial)
    size = 1 if len(equity) <= CURVE_MAX else bucket_size(len(equity), CURVE_BUCKETS)
    at = kept(size, equity, below, *([] if held is None else [held]))
    return {
        "initial": initial,
        "time": seconds(result.bars.ts_open_ns[at]),
        "equity": rounded(equity[at], money_decimals(initial)),
        "held": None if held is None else rounded(held[at], money_decimals(initial)),
        "below": rounded(below[at], 5),
        "exposure": rounded(means(result.equity["exposure"].to_numpy(), size)[at // size], 4),
        "bars_per_mean": size,
    }


def daily_of(result: Result) -> pl.DataFrame:
    return daily_returns(result.bars.ts_close_ns, result.executed.equity, initial_equity(result))


def daily_of_holding(result: Result) -> pl.DataFrame | None:
    """Of who holds the instrument, as `held_prices` says."""
    held = held_prices(result)
    return None if held is None else daily_returns(result.bars.ts_close_ns, held, initial_equity(result))


def rolling(result: Result) -> Series | None:
    """Annual ratios and volatility of the last days, and beta to holding; None where there are too few days."""
    daily = daily_of(result)
    window = next((days for days in ROLLING_DAYS if daily.height >= 2 * days), None)
    if window is None:
        return None
    ratios = rolling_ratios(daily, window).with_columns(_rolling_beta(result, daily, window))
    ratios = ratios.gather_every(bucket_size(daily.height, ROLLING_MAX))
    return {
        "days": window,
        "time": (ratios["date"].to_physical().cast(pl.Int64) * (DAY_NS // NS)).to_list(),
        "sharpe": ratios["sharpe"].round(4).to_list(),
        "sortino": ratios["sortino"].round(4).to_list(),
        "volatility": ratios["volatility"].round(5).to_list(),
        "beta": ratios["beta"].round(4).to_list(),
    }


def _rolling_beta(result: Result, daily: pl.DataFrame, window: int) -> pl.Series:
    """To holding the instrument; null where that is not possible."""
    if (benchmark := daily_of_holding(result)) is None:
        return pl.Series("beta", [None] * daily.height, dtype=pl.Float64)
    return rolling_beta(daily, benchmark, window)


def trades(result: Result) -> Series:
    """The first TRADES_MAX. `first` and `last` are the candles of entry and exit."""
    frame, trips = result.trades.head(TRADES_MAX), result.executed.trips[:TRADES_MAX]
    size, decimals = bucket_size(len(result.bars), CANDLES_MAX), price_decimals(result) + 2
    ends = np.where(trips["exit_bar"] == STILL_OPEN, len(result.bars) - 1, trips["exit_bar"])
    money = max(2, 7 - math.floor(math.log10(initial_equity(result))))
    return {
        "first": (trips["entry_bar"] // size).tolist(),
        "last": (ends // size).tolist(),
        "side": frame["side"].to_list(),
        "entry": (frame["entry_ts_ns"] // NS).to_list(),
        "entry_price": frame["entry_price"].round(decimals).to_list(),
        "exit": _exit_seconds(result, frame),
        "exit_price": frame["exit_price"].round(decimals).to_list(),
        "quantity": frame["quantity"].round(10).to_list(),
        "profit": frame["profit"].round(money).to_list(),
        "return": frame["return"].round(6).to_list(),
        "mae": frame["mae"].round(6).to_list(),
        "mfe": frame["mfe"].round(6).to_list(),
        "bars": frame["bars"].to_list(),
        "fees": frame["fees"].round(money).to_list(),
        "reason": frame["reason"].to_list(),
    }


def _exit_seconds(result: Result, frame: pl.DataFrame) -> list[int | None]:
    """An exit within a bar of a day or more is shown on the day that the bar ends, not at the midnight after it."""
    is_long = bar_seconds(result.bars) * NS >= DAY_NS
    within = result.executed.trips[:TRADES_MAX]["phase"] != OPEN
    return list(((frame["exit_ts_ns"] - (within & is_long).astype(np.int64)) // NS).to_list())
