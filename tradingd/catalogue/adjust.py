"""Prices from before a split or a dividend, on the scale of those after it."""

import math
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import polars as pl
from msgspec import Struct

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import number
from tradingd.catalogue.shapes import PRICES
from tradingd.catalogue.trading_days import day_start_ns, next_day_ns
from tradingd.columns import F64
from tradingd.instruments import Session


class Split(NamedTuple):
    """`ratio`: new shares for an old one, from the opening of `day` on."""

    day: date
    ratio: Fraction


class Dividend(NamedTuple):
    """`amount` per share, in units of price of that day; `day`: the first on which a buyer does not get it."""

    day: date
    amount: float


class Applied(Struct, frozen=True, kw_only=True):
    """One event, as the record keeps it.

    day       of the first bar that is left as it was
    split     new shares for an old one, like 7 or 3/2
    dividend  in units of price
    previous_close, first_price   of the bars on both sides, as they were
    factor    what the prices before are multiplied by
    rows      how many bars that are
    """

    day: str
    split: str | None = None
    dividend: float | None = None
    previous_close: float
    first_price: float
    factor: float
    rows: int


def split_factors(frame: pl.DataFrame, splits: Sequence[Split], session: Session) -> tuple[list[Applied], list[int]]:
    """Raises CatalogueError where a day has no bar or none before it, or the prices do not jump there."""
    applied, rows = [], []
    for split in splits:
        row, before, first = _around(frame, split.day, session)
        if not _is_nearer_to_split(before / first, float(split.ratio)):
            raise CatalogueError(
                f"no split of {split.ratio} is in the prices of {split.day}: {number(before)} then {number(first)}; "
                "they may be adjusted already, or the ratio is the other way round (new shares for an old one)"
            )
        factor = float(1 / split.ratio)
        applied.append(_applied(split.day, row, before, first, factor, split=str(split.ratio)))
        rows.append(row)
    return applied, rows


def _is_nearer_to_split(jump: float, ratio: float) -> bool:
    """Than to no jump at all, in logarithms; a price below 0 is near to nothing."""
    return jump > 0 and abs(math.log(jump) - math.log(ratio)) < abs(math.log(jump))


def dividend_factors(
    frame: pl.DataFrame, dividends: Sequence[Dividend], splits: Sequence[Split], session: Session
) -> tuple[list[Applied], list[int]]:
    """1 - D / C, where D is the amount and C the close before, divided by the ratio of a split on the same day.

    The convention of CRSP and Yahoo, "What is the adjusted close?"
    (https://sg.help.yahoo.com/kb/finance-for-desktop/adjusted-close-sln28256.html).

    Raises CatalogueError where a day has no bar or none before it, or the amount is not below the close.
    """
    ratios = {split.day: float(split.ratio) for split in splits}
    applied, rows = [], []
    for dividend in dividends:
        row, before, first = _around(frame, dividend.day, session)
        close = before / ratios.get(dividend.day, 1.0)
        if not 0 < dividend.amount < close:
            raise CatalogueError(
                f"a dividend of {number(dividend.amount)} on {dividend.day} is not between 0 and the close before it, "
                f"{number(close)}; write the amount in units of price"
            )
        factor = 1 - dividend.amount / close
        applied.append(_applied(dividend.day, row, before, first, factor, dividend=dividend.amount))
        rows.append(row)
    return applied, rows


def _applied(
    day: date, row: int, before: float, first: float, factor: float,
    *, split: str | None = None, dividend: float | None = None,
) -> Applied:  # fmt: skip
    return Applied(
        day=str(day),
        split=split,
        dividend=dividend,
        previous_close=before,
        first_price=first,
        factor=factor,
        rows=row,
    )


def _around(frame: pl.DataFrame, day: date, session: Session) -> tuple[int, float, float]:
    """The row of the day's first bar, the close before it and its first price."""
    opened = frame["ts_open_ns"].to_numpy()
    row = int(np.searchsorted(opened, day_start_ns(session, day)))
    if row == len(opened) or opened[row] >= next_day_ns(session, day):
        raise CatalogueError(f"there is no bar on {day}; an event stands on the first day of the new prices")
    if row == 0:
        raise CatalogueError(f"there is no bar before {day}, so nothing to adjust")
    before, first = frame["close"][row - 1], frame["open"][row]
    first = frame["close"][row] if first is None else first
    if before is None or first is None:
        raise CatalogueError(f"a price is absent around {day}; bars need closes to be adjusted")
    return row, float(before), float(first)


def adjusted(
    frame: pl.DataFrame, splits: Sequence[tuple[int, Fraction]], dividends: Sequence[tuple[int, float]]
) -> pl.DataFrame:
    """Rows before each row given: prices by 1 / ratio and by the dividend's factor, volumes by the ratio."""
    new, old, paid = (np.ones(len(frame)) for _ in range(3))
    for row, ratio in splits:
        new[:row] *= ratio.numerator
        old[:row] *= ratio.denominator
    for row, factor in dividends:
        paid[:row] *= factor
    prices = {name: _scaled(frame[name], old * paid, new) for name in PRICES}
    return frame.with_columns(**prices, volume=_scaled(frame["volume"], new, old))


def _scaled(values: pl.Series, times: F64, over: F64) -> pl.Series:
    """Whole numbers apart, so that a price over a ratio is the nearest float."""
    return values * pl.Series(times) / pl.Series(over)
