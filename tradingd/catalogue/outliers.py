"""Single prices that leave their neighbours and come back."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tradingd.catalogue.findings import Limits, Mask
from tradingd.columns import F64

AROUND = 101  # rows: of what is usual


def bar_outliers(prices: F64, close: F64, limits: Limits) -> Mask:
    """Of an open, high or low: against the closes before, of and after its bar."""
    before, after = _shifted(close)
    return _far(prices, (before, close, after), close, limits)


def tick_outliers(prices: F64, limits: Limits) -> Mask:
    """Of closes or ticks: against the one before and the one after."""
    return _far(prices, _shifted(prices), prices, limits)


def _far(prices: F64, others: Sequence[F64], line: F64, limits: Limits) -> Mask:
    """Further from all of them than is usual there. Prices at or below zero have no ratio and are left out.

    A level that stays, as after a split, is near to what follows it.
    """
    sound = np.where(prices > 0, prices, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = [np.abs(sound / np.where(other > 0, other, np.nan) - 1) for other in others]
        nearest = np.fmin.reduce(ratios)
        far: Mask = (nearest > limits.outlier_min) & (nearest > limits.outlier * _usual(line))
        return far


def _usual(line: F64) -> F64:
    """The median step from row to row, relative, around each row."""
    sound = np.where(line > 0, line, np.nan)
    steps = pl.Series(np.abs(np.diff(sound, prepend=sound[:1]) / sound)).fill_nan(None)
    return steps.rolling_median(AROUND, min_samples=1, center=True).fill_null(0.0).to_numpy()


def _shifted(line: F64) -> tuple[F64, F64]:
    """The rows before and after; NaN where there are none."""
    return np.append(np.nan, line[:-1]), np.append(line[1:], np.nan)
