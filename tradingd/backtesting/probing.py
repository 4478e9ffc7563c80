"""Two questions to any strategy: does what it says depend on what comes later, and how many bars does it need?"""

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from tradingd.backtesting.errors import BacktestError
from tradingd.columns import BarArray
from tradingd.feeds.bars.table import Bars
from tradingd.kernels.calls import PRICES
from tradingd.strategies.contract import check_legs
from tradingd.strategies.loader import load_single, load_strategy
from tradingd.strategies.run import Outs, StrategyRun

CUTS = 20
CLOSE = 1e-9  # recursive averages forget by halves: prices that are so near to each other are the same

Params = Mapping[str, bool | int | float]


class Lookahead(Struct):
    """`bar` is the first one at whose close it said something else without the bars after `cut`; None where none is."""

    bars: int
    cuts: int
    bar: int | None = None
    cut: int | None = None
    with_future: str = ""
    without: str = ""


class Warmup(Struct):
    """`needed` bars after its first one it says what it says with all that came before; None: not within these bars."""

    bars: int
    declared: int
    needed: int | None


def lookahead(kind: str, params: Params, bars: Sequence[Bars], base: Path) -> Lookahead:
    """Runs the strategy on all bars, and on those up to each of CUTS bars.

    `bars` are of one instrument, or of each that the strategy takes at once: then closes count that all of them have.
    Raises StrategyError, BacktestError.
    """
    array = _records(kind, bars, base)
    whole = _outs(kind, params, array, base)
    _check_says_something(kind, whole)
    cuts = np.unique(np.linspace(1, len(array), CUTS + 1)[:-1].astype(int))
    for cut in cuts.tolist():
        part = _outs(kind, params, array[:cut], base)
        differing = np.flatnonzero(~_same(part, whole[:cut]))
        if differing.size:
            at = int(differing[0])
            return Lookahead(len(array), len(cuts), at, cut, str(whole[at]), str(part[at]))
    return Lookahead(len(array), len(cuts))


def warmup(kind: str, params: Params, bars: Sequence[Bars], base: Path) -> Warmup:
    """Starts the strategy at several bars and looks when it agrees with one that has seen all. Its own warm-up is off.

    `bars` are as for `lookahead`. Raises StrategyError, BacktestError.
    """
    array = _records(kind, bars, base)
    whole = _outs(kind, params, array, base, warmup_bars=1)
    _check_says_something(kind, whole)
    declared = load_strategy(kind, base).instantiate(params).warmup_bars
    needed = 1
    for start in np.unique(np.linspace(1, len(array) // 2, CUTS).astype(int)).tolist():
        differing = np.flatnonzero(~_same(_outs(kind, params, array[start:], base, warmup_bars=1), whole[start:]))
        if differing.size:
            needed = max(needed, int(differing[-1]) + 2)
    return Warmup(len(array), declared, needed if needed < len(array) // 2 else None)


def _outs(kind: str, params: Params, bars: BarArray, base: Path, *, warmup_bars: int | None = None) -> Outs:
    return StrategyRun(load_strategy(kind, base), params, warmup_bars=warmup_bars).feed(bars)


def _same(a: Outs, b: Outs) -> Any:
    alike = (a["target"] == b["target"]) & np.isclose(a["confidence"], b["confidence"], rtol=CLOSE)
    for name in PRICES:
        alike &= np.isclose(a[name], b[name], rtol=CLOSE, atol=0.0, equal_nan=True)
    return alike if alike.ndim == 1 else alike.all(axis=1)  # of each leg


def _records(kind: str, bars: Sequence[Bars], base: Path) -> BarArray:
    """(n,), or (n, legs) of the bars that close at the same times, as the strategy is stepped on them."""
    array = _joined(kind, bars, base) if len(bars) > 1 else _single(kind, bars[0], base)
    _check_length(array)
    return array


def _single(kind: str, bars: Bars, base: Path) -> BarArray:
    load_single(kind, base)
    return bars.records()


def _joined(kind: str, bars: Sequence[Bars], base: Path) -> BarArray:
    strategy = load_strategy(kind, base)
    if strategy.legs == 1:
        raise BacktestError(f"{kind} takes one instrument, and has {len(bars)}; give one file")
    check_legs(strategy, len(bars))
    closes = reduce(np.intersect1d, [each.ts_close_ns for each in bars])
    return np.stack([each.records()[np.isin(each.ts_close_ns, closes)] for each in bars], axis=1)


def _check_length(bars: BarArray) -> None:
    if len(bars) < 2 * CUTS:
        raise BacktestError(f"{len(bars)} bars are too few for this; {2 * CUTS} are the least")


def _check_says_something(kind: str, outs: Outs) -> None:
    if not np.any(outs["target"]):
        why = "so there is nothing to compare; it may need more of them, and an exit has nothing to leave here"
        raise BacktestError(f"{kind} never wants a position in these {len(outs):,} bars, {why}")
