"""Rules over bars. Each gives the rows that it is about; row numbers count from 0."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import polars as pl

from tradingd.catalogue.check_hours import hour_rules
from tradingd.catalogue.findings import Found, Limits, Mask, number, repeated, time_text, where
from tradingd.catalogue.outliers import bar_outliers, tick_outliers
from tradingd.catalogue.sessions import Days, days_of
from tradingd.catalogue.shapes import DAY, PRICES, timeframe_ns
from tradingd.columns import F64, I64
from tradingd.instruments import Session

# the ratios of splits: new shares for old ones, and the other way round
SPLITS = [Fraction(n) for n in (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 50, 100)] + [Fraction(3, 2)]
UPSIDE_DOWN = (pl.col("high") < pl.col("low")).fill_null(value=False)
ZERO = pl.any_horizontal((pl.col(PRICES) == 0).fill_null(value=False))


def bar_rules(frame: pl.DataFrame, timeframe: str, session: Session | None, limits: Limits) -> list[Found]:
    """In the order in which they are told."""
    opened, closed = frame["ts_open_ns"].to_numpy(), frame["ts_close_ns"].to_numpy()
    length = None if timeframe == DAY else timeframe_ns(timeframe)
    days = days_of(session, int(opened.min()), int(closed.max())) if session else None
    found = [*_order(frame, opened, closed), *_ranges(frame), *_signs(frame)]
    found += [*_outlier_rule(frame, limits), *_splits(frame, limits), *_stale(frame, limits)]
    found += _gaps(opened, closed, length, days, limits)
    return found + hour_rules(opened, length, session, days, limits)


def _order(frame: pl.DataFrame, opened: I64, closed: I64) -> Iterator[Found]:
    step = np.diff(opened, prepend=opened[:1] - 1)
    same = repeated(frame)
    yield from where("time_back", step < 0, lambda row: f"opens before the bar above it ({time_text(opened[row - 1])})")
    yield from where(
        "duplicate",
        step == 0,
        lambda row: f"a second bar of this time, {'the same' if same[row] else 'with other values'}",
    )
    early = (step > 0) & (opened < np.append(opened[:1], closed[:-1]))
    yield from where(
        "overlap", early, lambda row: f"opens before the bar above it closes ({time_text(closed[row - 1])})"
    )


def _ranges(frame: pl.DataFrame) -> Iterator[Found]:
    low, high = frame["low"], frame["high"]
    yield from where(
        "range", _mask(frame, UPSIDE_DOWN), lambda row: f"high {number(high[row])} is below low {number(low[row])}"
    )
    for name in ("open", "close"):
        yield from where("range", _mask(frame, _outside(name) & ~UPSIDE_DOWN), _outside_text(frame, name))


def _outside(name: str) -> pl.Expr:
    return (pl.col(name) > pl.col("high")) | (pl.col(name) < pl.col("low"))


def _outside_text(frame: pl.DataFrame, name: str) -> Callable[[int], str]:
    return lambda row: (
        f"{name} {number(frame[name][row])} is outside of {number(frame['low'][row])} to {number(frame['high'][row])}"
    )


def _signs(frame: pl.DataFrame) -> Iterator[Found]:
    lowest = frame.select(PRICES).min_horizontal()
    yield from where("zero", _mask(frame, ZERO), lambda _: "a price of exactly 0")
    yield from where(
        "negative",
        _mask(frame, pl.min_horizontal(PRICES) < 0),
        lambda row: f"a price below zero: {number(lowest[row])}; some markets have that (crude oil in April 2020)",
        is_note=True,
    )


def impossible_rows(frame: pl.DataFrame) -> Mask:
    """Rows that the rules `range` and `zero` find."""
    return _mask(frame, UPSIDE_DOWN | _outside("open") | _outside("close") | ZERO)


def _mask(frame: pl.DataFrame, rule: pl.Expr) -> Mask:
    """Where a price is absent no rule is broken."""
    mask: Mask = frame.select(rule.fill_null(value=False)).to_series().to_numpy()
    return mask


def outlier_rows(frame: pl.DataFrame, limits: Limits) -> dict[str, Mask]:
    """By price, where it is far from the closes around it."""
    close = frame["close"].to_numpy()
    found = {"close": tick_outliers(close, limits)}
    rest = [name for name in PRICES if name != "close" and frame[name].null_count() == 0]
    return found | {name: bar_outliers(frame[name].to_numpy(), close, limits) for name in rest}


def _outlier_rule(frame: pl.DataFrame, limits: Limits) -> Iterator[Found]:
    masks = outlier_rows(frame, limits)
    close = frame["close"]

    def say(row: int) -> str:
        odd = ", ".join(f"{name} {number(frame[name][row])}" for name, mask in masks.items() if mask[row])
        around = [number(close[at]) for at in (row - 1, row + 1) if 0 <= at < len(frame)]
        return f"{odd} between closes of {' and '.join(around)}"

    yield from where("outlier", np.logical_or.reduce(list(masks.values())), say)


class Jump(NamedTuple):
    """From the close before a bar to its first price, and the ratio of a split that is near to that; 0 for none."""

    before: F64
    first: F64
    ratio: F64

    @property
    def sizes(self) -> F64:
        """1 where it is none that could be told."""
        known = (self.before > 0) & (self.first > 0)
        return np.divide(self.before, self.first, out=np.ones(len(known)), where=known)


def jumps(frame: pl.DataFrame, limits: Limits) -> Jump:
    """A split is a first price that is a simple ratio away from the close before, and a close that stays there."""
    first = frame["open"].fill_null(frame["close"]).to_numpy()
    close = frame["close"].to_numpy()
    jump = Jump(np.append(np.nan, close[:-1]), first, np.zeros(len(close)))
    with np.errstate(invalid="ignore", divide="ignore"):
        stays = np.abs(close / first - 1) < 0.2
    return jump._replace(ratio=np.where(stays, _nearest_split(jump.sizes, limits), 0))


def split_of(ratio: float) -> Fraction:
    """New shares for an old one, as a fraction of small whole numbers."""
    return Fraction(ratio).limit_denominator(100)


def _splits(frame: pl.DataFrame, limits: Limits) -> Iterator[Found]:
    jump = jumps(frame, limits)
    sizes = jump.sizes
    yield from where(
        "split",
        jump.ratio != 0,
        lambda row: (
            f"{number(jump.before[row])} then {number(jump.first[row])}: {sizes[row]:.4g} to 1, "
            f"like a split of {split_of(jump.ratio[row])}"
        ),
    )


def _nearest_split(jump: F64, limits: Limits) -> F64:
    """0 where there is none near."""
    found = np.zeros(len(jump))
    for split in SPLITS:
        for ratio in (float(split), float(1 / split)):
            found[np.abs(jump / ratio - 1) <= limits.split] = ratio
    return found


def _stale(frame: pl.DataFrame, limits: Limits) -> Iterator[Found]:
    """The first bar of each run."""
    prices = frame.select(PRICES).to_numpy()
    same = (prices[1:] == prices[:-1]) | (np.isnan(prices[1:]) & np.isnan(prices[:-1]))
    starts = np.flatnonzero(np.append(True, ~same.all(axis=1)))
    lengths = np.diff(np.append(starts, len(prices)))
    runs = np.zeros(len(prices), np.int64)
    runs[starts] = lengths
    yield from where("stale", runs >= limits.stale_bars, lambda row: f"{runs[row]:,} bars of the same prices")


def _gaps(opened: I64, closed: I64, length: int | None, days: Days | None, limits: Limits) -> Iterator[Found]:
    """Bars that the session has between one bar's close and the next one's opening."""
    missing = np.append(0, _expected(closed[:-1], opened[1:], length, days))
    whole = np.append(False, _starts(closed[:-1], length, days)) & (missing == _bars_of_session(length, days))

    def say(row: int) -> str:
        what = "1 bar is" if missing[row] == 1 else f"{missing[row]:,} bars are"
        return f"{what} missing after {time_text(closed[row - 1])}"

    wide = missing >= limits.gap_bars
    yield from where("gap", wide & ~whole, say)
    yield from where("gap", wide & whole, lambda row: f"{say(row)}: one session, a holiday perhaps", is_note=True)


def _starts(ts_ns: I64, length: int | None, days: Days | None) -> Mask:
    """Whether the next bar to come would be the first one of a session."""
    if days is None:
        return np.zeros(len(ts_ns), np.bool_)
    return np.isin(days.bars_before(ts_ns, length), days.bars_before(days.opens, length))


def _bars_of_session(length: int | None, days: Days | None) -> int:
    """-1 where there is none."""
    if days is None:
        return -1
    return 1 if length is None else int(-((days.opens[0] - days.closes[0]) // length))


def _expected(from_ns: I64, to_ns: I64, length: int | None, days: Days | None) -> I64:
    """How many bars open in [from_ns, to_ns)."""
    if days is not None:
        count = days.bars_before(to_ns, length) - days.bars_before(from_ns, length)
    else:
        assert length is not None, "days have a session"
        count = (to_ns - from_ns) // length
    return np.where(count > 0, count, 0)
