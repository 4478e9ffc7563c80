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
from tradingd.backtesting.report.told import Part, Told
from tradingd.backtesting.result import Traded
from tradingd.columns import F64
from tradingd.feeds.bars.table import Bars
from tradingd.kernels.book import OPEN
from tradingd.kernels.trips import STILL_OPEN

CANDLES_MAX = 8_000
CANDLES_OF_ALL_MAX = 24_000  # of a portfolio's instruments together
CANDLES_OF_ONE_MIN = 500
CURVE_MAX = 6_000  # points that need no sampling
CURVE_BUCKETS = 1_000  # each of up to eight points where it does
DIGITS = 7  # of prices
TRADES_MAX = 10_000
ROLLING_DAYS = (126, 63, 21)  # the longest of which there are at least two
ROLLING_MAX = 4_000

Series = dict[str, Any]


def chart_data(told: Told) -> Series:
    """Times are written by `bar_s`."""
    most = CANDLES_MAX if len(told.parts) == 1 else max(CANDLES_OF_ALL_MAX // len(told.parts), CANDLES_OF_ONE_MIN)
    return {
        "bar_s": finest_s(told),
        "money_decimals": money_decimals(told.initial),
        "currency": told.currency,
        "assets": [charted(part, most) for part in told.parts],
        "curve": curve(told),
        "rolling": rolling(told),
        "trades": trades(told, most),
    }


def charted(part: Part, most: int) -> Series:
    """One instrument's candles, at most so many, and what is drawn over them."""
    bars, size = part.asset.bars, bucket_size(len(part.asset.bars), most)
    rests = protection(part.asset.executed) if has_protection(part, size) else {}
    return {
        "name": part.asset.instrument.id,
        "bars_per_candle": size,
        "precision": price_decimals(part.asset),
        "candles": candles(bars, size),
        "lines": _over_candles(part.lines, part.asset, size),
        "protection": _over_candles(rests, part.asset, size),
    }


def _over_candles(columns: dict[str, F64], asset: Traded, size: int) -> Series:
    """As they were at the end of each candle; those that never have a value are left out."""
    at, decimals = last_of_buckets(len(asset.bars), size), price_decimals(asset) + 2
    return {name: rounded(values[at], decimals) for name, values in columns.items() if not np.isnan(values[at]).all()}


def has_protection(part: Part, size: int) -> bool:
    """Stops of trades that are shorter than a candle would only be noise; those that several strategies want are not
    known from what each of them said."""
    held = part.metrics.average_holding_bars
    return part.decided_by_one and (size == 1 or (held or 0.0) >= size)


def price_decimals(asset: Traded) -> int:
    """Of the tick size, as long as they are among the first digits of a price."""
    exponent = Decimal(repr(asset.instrument.tick_size)).normalize().as_tuple().exponent
    largest = float(np.abs(asset.bars.close).max()) or 1.0
    return max(0, min(-int(exponent), DIGITS - 1 - math.floor(math.log10(largest))))


def bar_seconds(bars: Bars) -> float:
    """From open to open, as it is mostly."""
    if len(bars) == 1:
        return float(bars.ts_close_ns[0] - bars.ts_open_ns[0]) / NS
    return float(np.median(np.diff(bars.ts_open_ns))) / NS


def finest_s(told: Told) -> float:
    """Of the shortest bars."""
    return min(bar_seconds(part.asset.bars) for part in told.parts)


def curve(told: Told) -> Series:
    """After each bar: equity, what it was below its peak, what holding would have been, and exposure.

    Of more than CURVE_MAX bars the lows and highs of each bucket are kept, and exposure is the bucket's mean.
    """
    equity, held, decimals = told.equity, told.held, money_decimals(told.initial)
    below = drawdown_series(equity, told.initial)
    size = 1 if len(equity) <= CURVE_MAX else bucket_size(len(equity), CURVE_BUCKETS)
    at = kept(size, equity, below, *([] if held is None else [held]))
    return {
        "initial": told.initial,
        "time": seconds(told.shown_ns[at]),
        "equity": rounded(equity[at], decimals),
        "held": None if held is None else rounded(held[at], decimals),
        "below": rounded(below[at], 5),
        "exposure": rounded(means(told.exposure, size)[at // size], 4),
        "bars_per_mean": size,
    }


def daily_of(told: Told) -> pl.DataFrame:
    return daily_returns(told.ts_ns, told.equity, told.initial)


def daily_of_holding(told: Told) -> pl.DataFrame | None:
    """Of who holds the instrument."""
    return None if told.held is None else daily_returns(told.ts_ns, told.held, told.initial)


def rolling(told: Told) -> Series | None:
    """Annual ratios and volatility of the last days, and beta to holding; None where there are too few days."""
    daily = daily_of(told)
    window = next((days for days in ROLLING_DAYS if daily.height >= 2 * days), None)
    if window is None:
        return None
    ratios = rolling_ratios(daily, window).with_columns(_rolling_beta(told, daily, window))
    ratios = ratios.gather_every(bucket_size(daily.height, ROLLING_MAX))
    return {
        "days": window,
        "time": (ratios["date"].to_physical().cast(pl.Int64) * (DAY_NS // NS)).to_list(),
        "sharpe": ratios["sharpe"].round(4).to_list(),
        "sortino": ratios["sortino"].round(4).to_list(),
        "volatility": ratios["volatility"].round(5).to_list(),
        "beta": ratios["beta"].round(4).to_list(),
    }


def _rolling_beta(told: Told, daily: pl.DataFrame, window: int) -> pl.Series:
    """To holding the instrument; null where that is not possible."""
    if (benchmark := daily_of_holding(told)) is None:
        return pl.Series("beta", [None] * daily.height, dtype=pl.Float64)
    return rolling_beta(daily, benchmark, window)


def trades(told: Told, most: int) -> Series:
    """The first TRADES_MAX of all instruments. `first` and `last` are the candles of entry and exit."""
    frames = [_trades(part, most).with_columns(asset=pl.lit(n)) for n, part in enumerate(told.parts)]
    frame = pl.concat(frames).sort("entry_ts_ns", maintain_order=True).head(TRADES_MAX)
    money = max(2, 7 - math.floor(math.log10(told.initial)))
    return {
        "asset": frame["asset"].to_list(),
        "first": frame["first"].to_list(),
        "last": frame["last"].to_list(),
        "side": frame["side"].to_list(),
        "entry": (frame["entry_ts_ns"] // NS).to_list(),
        "entry_price": frame["entry_price"].to_list(),
        "exit": frame["exit"].to_list(),
        "exit_price": frame["exit_price"].to_list(),
        "quantity": frame["quantity"].round(10).to_list(),
        "profit": frame["profit"].round(money).to_list(),
        "return": frame["return"].round(6).to_list(),
        "mae": frame["mae"].round(6).to_list(),
        "mfe": frame["mfe"].round(6).to_list(),
        "bars": frame["bars"].to_list(),
        "fees": frame["fees"].round(money).to_list(),
        "reason": frame["reason"].to_list(),
    }


def _trades(part: Part, most: int) -> pl.DataFrame:
    bars, trips = part.asset.bars, part.asset.executed.trips
    size, decimals = bucket_size(len(bars), most), price_decimals(part.asset) + 2
    ends = np.where(trips["exit_bar"] == STILL_OPEN, len(bars) - 1, trips["exit_bar"])
    return part.trades.with_columns(
        pl.col("entry_price", "exit_price").round(decimals),
        first=trips["entry_bar"] // size,
        last=ends // size,
        exit=_exit_seconds(part),
    )


def _exit_seconds(part: Part) -> pl.Series:
    """An exit within a bar of a day or more is shown on the day that the bar ends, not at the midnight after it."""
    is_long = bar_seconds(part.asset.bars) * NS >= DAY_NS
    within = part.asset.executed.trips["phase"] != OPEN
    shown: pl.Series = (part.trades["exit_ts_ns"] - (within & is_long).astype(np.int64)) // NS
    return shown
