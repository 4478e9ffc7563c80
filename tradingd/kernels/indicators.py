"""Indicators as causal steps over named state records, and the same steps over whole arrays.

A state is a record that a strategy nests into its own (`"fast": sma_state(10)`); its step takes the record and the next
value and returns the indicator, NaN until it is warm. Seeds and alignment are those of TA-Lib. How sums over a window
keep from drifting is in `windows.py`.
"""

from typing import Any

import numpy as np

from tradingd.columns import F64
from tradingd.kernels.calls import local_copy
from tradingd.kernels.compile import kernel
from tradingd.kernels.windows import (
    MEAN,
    SPREAD,
    Record,
    mean_step,
    new_record,
    push,
    spread_step,
    window_state,
    window_sums,
)

_SMOOTH = [("period", "<i8"), ("seen", "<i8"), ("rate", "<f8"), ("keep", "<f8")]  # keep = 1 - rate
EMA = np.dtype([*_SMOOTH, ("value", "<f8")], align=True)
RSI = np.dtype([*_SMOOTH, ("previous", "<f8"), ("gain", "<f8"), ("loss", "<f8")], align=True)
ATR = np.dtype([*_SMOOTH, ("previous", "<f8"), ("value", "<f8")], align=True)
MACD = np.dtype([("seen", "<i8"), ("skip", "<i8"), ("fast", EMA), ("slow", EMA), ("signal", EMA)], align=True)


def _smoothing(dtype: np.dtype[Any], period: int, rate: float) -> Record:
    return new_record(dtype, period=period, rate=rate, keep=1.0 - rate)


# --- simple moving average --------------------------------------------------------------------------------------------


def sma_state(period: int) -> Record:
    return window_state(MEAN, period)


@kernel
def sma_step(state: Any, value: float) -> float:
    """Mean of the last `period` values."""
    mean: float = mean_step(state.sums, value, push(state, value))
    return mean


def sma(values: F64, period: int) -> F64:
    """(n,) values to (n,) averages, NaN until warm."""
    out = np.empty(len(values))
    _sma_batch(window_sums(MEAN, period).reshape(1), values, out)
    return out


@kernel
def _sma_batch(states: Any, values: F64, out: F64) -> None:
    sums = local_copy(states[0])
    period = sums.period
    for i in range(min(period, values.size)):
        out[i] = mean_step(sums, values[i], sums.anchor)
    for i in range(period, values.size):
        out[i] = mean_step(sums, values[i], values[i - period])


# --- exponential moving average ---------------------------------------------------------------------------------------


def ema_state(period: int) -> Record:
    return _smoothing(EMA, period, 2.0 / (period + 1))


@kernel
def ema_step(state: Any, value: float) -> float:
    """Exponential moving average with the rate 2 / (period + 1), seeded by the mean of the first `period` values."""
    state.seen += 1
    if state.seen > state.period:
        state.value = state.value * state.keep + value * state.rate
    else:
        state.value += value
        if state.seen < state.period:
            return np.nan
        state.value /= state.period
    average: float = state.value
    return average


def ema(values: F64, period: int) -> F64:
    """(n,) values to (n,) averages, NaN until warm."""
    out = np.empty(len(values))
    _ema_batch(ema_state(period).reshape(1), values, out)
    return out


@kernel
def _ema_batch(states: Any, values: F64, out: F64) -> None:
    state = local_copy(states[0])
    for i in range(values.size):
        out[i] = ema_step(state, values[i])


# --- Wilder's relative strength index ---------------------------------------------------------------------------------


def rsi_state(period: int) -> Record:
    return _smoothing(RSI, period, 1.0 / period)


@kernel
def rsi_step(state: Any, value: float) -> float:
    """Wilder's RSI, seeded by the means of the first `period` changes; 0 where nothing has changed, as in TA-Lib.

    J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    change = value - state.previous
    gain = change if change > 0.0 else 0.0
    loss = -change if change < 0.0 else 0.0
    state.previous = value
    state.seen += 1
    if state.seen > state.period + 1:
        state.gain = state.gain * state.keep + gain * state.rate
        state.loss = state.loss * state.keep + loss * state.rate
    elif state.seen == 1:
        return np.nan
    else:
        state.gain += gain * state.rate
        state.loss += loss * state.rate
        if state.seen <= state.period:
            return np.nan
    both = state.gain + state.loss
    return 100.0 * (state.gain / both) if both > 0.0 else 0.0


def rsi(values: F64, period: int) -> F64:
    """(n,) values to (n,) indices in 0 to 100, NaN until warm."""
    out = np.empty(len(values))
    _rsi_batch(rsi_state(period).reshape(1), values, out)
    return out


@kernel
def _rsi_batch(states: Any, values: F64, out: F64) -> None:
    state = local_copy(states[0])
    for i in range(values.size):
        out[i] = rsi_step(state, values[i])


# --- Wilder's average true range --------------------------------------------------------------------------------------


def atr_state(period: int) -> Record:
    return _smoothing(ATR, period, 1.0 / period)


@kernel
def atr_step(state: Any, high: float, low: float, close: float) -> float:
    """Wilder's average of the true range, seeded by the mean of the first `period` of them; the first bar has none."""
    top = state.previous if state.previous > high else high
    bottom = state.previous if state.previous < low else low
    true_range = top - bottom
    state.previous = close
    state.seen += 1
    if state.seen > state.period + 1:
        state.value = state.value * state.keep + true_range * state.rate
    elif state.seen == 1:
        return np.nan
    else:
        state.value += true_range * state.rate
        if state.seen <= state.period:
            return np.nan
    average: float = state.value
    return average


def atr(high: F64, low: F64, close: F64, period: int) -> F64:
    """(n,) bars to (n,) ranges in units of price, NaN until warm."""
    out = np.empty(len(close))
    _atr_batch(atr_state(period).reshape(1), high, low, close, out)
    return out


@kernel
def _atr_batch(states: Any, high: F64, low: F64, close: F64, out: F64) -> None:
    state = local_copy(states[0])
    for i in range(close.size):
        out[i] = atr_step(state, high[i], low[i], close[i])


# --- Bollinger bands --------------------------------------------------------------------------------------------------


def bollinger_state(period: int) -> Record:
    return window_state(SPREAD, period)


@kernel
def bollinger_step(state: Any, value: float) -> tuple[float, float]:
    """(mean, standard deviation) of the last `period` values; of the population, as John Bollinger has it."""
    pair: tuple[float, float] = spread_step(state.sums, value, push(state, value))
    return pair


def bollinger(values: F64, period: int, deviations: float) -> tuple[F64, F64, F64]:
    """(n,) values to (upper, middle, lower), (n,) each, NaN until warm."""
    upper, middle, lower = np.empty(len(values)), np.empty(len(values)), np.empty(len(values))
    _bollinger_batch(window_sums(SPREAD, period).reshape(1), values, deviations, upper, middle, lower)
    return upper, middle, lower


@kernel
def _bollinger_batch(states: Any, values: F64, deviations: float, upper: F64, middle: F64, lower: F64) -> None:
    sums = local_copy(states[0])
    period = sums.period
    for i in range(values.size):
        mean, deviation = spread_step(sums, values[i], values[i - period] if i >= period else sums.anchor)
        upper[i] = mean + deviations * deviation
        middle[i] = mean
        lower[i] = mean - deviations * deviation


# --- moving average convergence divergence ----------------------------------------------------------------------------


def macd_state(fast: int, slow: int, signal: int) -> Record:
    return new_record(MACD, skip=slow - fast, fast=ema_state(fast), slow=ema_state(slow), signal=ema_state(signal))


@kernel
def macd_step(state: Any, value: float) -> tuple[float, float, float]:
    """(macd, signal, histogram), all NaN until the signal is warm; `fast` is at most `slow`.

    As in TA-Lib the fast average is seeded late, by the mean of the `fast` values that end where the slow seed ends.
    """
    state.seen += 1
    slow = ema_step(state.slow, value)
    fast = ema_step(state.fast, value) if state.seen > state.skip else np.nan
    if state.slow.seen < state.slow.period:
        return np.nan, np.nan, np.nan
    line = fast - slow
    signal = ema_step(state.signal, line)
    if state.signal.seen < state.signal.period:
        return np.nan, np.nan, np.nan
    return line, signal, line - signal


def macd(values: F64, fast: int, slow: int, signal: int) -> tuple[F64, F64, F64]:
    """(n,) values to (macd, signal, histogram), (n,) each, NaN until warm."""
    line, average, histogram = np.empty(len(values)), np.empty(len(values)), np.empty(len(values))
    _macd_batch(macd_state(fast, slow, signal).reshape(1), values, line, average, histogram)
    return line, average, histogram


@kernel
def _macd_batch(states: Any, values: F64, line: F64, signal: F64, histogram: F64) -> None:
    state = local_copy(states[0])
    for i in range(values.size):
        line[i], signal[i], histogram[i] = macd_step(state, values[i])
