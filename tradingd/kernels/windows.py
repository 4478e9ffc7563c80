"""Mean and spread of the last values: what simple averages and Bollinger bands are made of.

Sums over a window are of distances from an anchor, a value of at most two windows ago, so that prices that stand still
give the price itself and a deviation of exactly 0. They do not drift: beside each running sum the values are added up
afresh from a newer anchor, and once per window the fresh sum takes its place. An infinite or NaN value is gone after
three windows. The error of a variance is about period x 1e-16 x the squared distance of the values from their anchor.
"""

from typing import Any

import numpy as np

from tradingd.kernels.compile import kernel

Record = np.ndarray[Any, Any]  # () of a structured dtype

_MEAN = [
    ("period", "<i8"),
    ("started", "<i8"),
    ("in_window", "<i8"),  # values in the fresh sum
    ("rate", "<f8"),  # 1 / period
    ("warm_rate", "<f8"),  # NaN until warm
    ("anchor", "<f8"),
    ("total", "<f8"),
    ("fresh_anchor", "<f8"),
    ("fresh_total", "<f8"),
]
MEAN = np.dtype(_MEAN, align=True)
SPREAD = np.dtype([*_MEAN, ("squares", "<f8"), ("fresh_squares", "<f8")], align=True)


def new_record(dtype: np.dtype[Any], **values: Any) -> Record:
    record = np.zeros((), dtype)
    for name, value in values.items():
        record[name] = value
    return record


def window_sums(dtype: np.dtype[Any], period: int) -> Record:
    """MEAN or SPREAD of nothing yet."""
    return new_record(dtype, period=period, rate=1.0 / period, warm_rate=np.nan)


def window_state(dtype: np.dtype[Any], period: int) -> Record:
    """MEAN or SPREAD beside the last `period` values."""
    fields = [("seen", "<i8"), ("sums", dtype), ("ring", "<f8", (ring_capacity(period),))]
    return new_record(np.dtype(fields, align=True), sums=window_sums(dtype, period))


def ring_capacity(period: int) -> int:
    """The power of two that holds `period` values, so another period seldom has to be compiled."""
    return max(8, 1 << (period - 1).bit_length())


@kernel
def push(state: Any, value: float) -> float:
    """Puts `value` into the ring; returns the one `period` values before it, where there is none yet the anchor."""
    ring, seen, period = state.ring, state.seen, state.sums.period
    mask = ring.size - 1
    oldest: float = ring[(seen - period) & mask] if seen >= period else state.sums.anchor
    ring[seen & mask] = value
    state.seen = seen + 1
    return oldest


@kernel
def mean_step(s: Any, value: float, oldest: float) -> float:
    """Mean of the window that `value` enters and `oldest` leaves; NaN until warm, and until then nothing leaves."""
    if s.started == 0:
        s.anchor = s.fresh_anchor = oldest = value
        s.started = 1
    s.total += (value - s.anchor) - (oldest - s.anchor)
    s.fresh_total += value - s.fresh_anchor
    s.in_window += 1
    if s.in_window == s.period:
        s.anchor, s.total = s.fresh_anchor, s.fresh_total
        s.fresh_anchor, s.fresh_total = value, 0.0
        s.in_window = 0
        s.warm_rate = s.rate
    mean: float = s.anchor + s.total * s.warm_rate
    return mean


@kernel
def spread_step(s: Any, value: float, oldest: float) -> tuple[float, float]:
    """(mean, standard deviation of the population) of the window that `value` enters and `oldest` leaves."""
    if s.started == 0:
        s.anchor = s.fresh_anchor = oldest = value
        s.started = 1
    new = value - s.anchor
    old = oldest - s.anchor
    fresh = value - s.fresh_anchor
    s.total += new - old
    s.squares += (new - old) * (new + old)
    s.fresh_total += fresh
    s.fresh_squares += fresh * fresh
    s.in_window += 1
    if s.in_window == s.period:
        s.anchor, s.total, s.squares = s.fresh_anchor, s.fresh_total, s.fresh_squares
        s.fresh_anchor, s.fresh_total, s.fresh_squares = value, 0.0, 0.0
        s.in_window = 0
        s.warm_rate = s.rate
    offset = s.total * s.warm_rate
    variance = s.squares * s.warm_rate - offset * offset
    return s.anchor + offset, np.sqrt(0.0 if variance < 0.0 else variance)
