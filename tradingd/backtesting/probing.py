"""Two questions to any strategy: does what it says depend on what comes later, and how many bars does it need?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from tradingd.backtesting.errors import BacktestError
from tradingd.columns import BarArray
from tradingd.feeds.bars.table import Bars
from tradingd.kernels.calls import PRICES
from tradingd.strategies.loader import load_single
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


def lookahead(kind: str, params: Params, bars: Bars, base: Path) -> Lookahead:
    """Runs the strategy on all bars, and on those up to each of CUTS bars. Raises StrategyError, BacktestError."""
    _check_length(bars)
    array = bars.records()
    whole = _outs(kind, params, array, base)
    _check_says_something(kind, whole)
    cuts = np.unique(np.linspace(1, len(bars), CUTS + 1)[:-1].astype(int))
    for cut in cuts.tolist():
        part = _outs(kind, params, array[:cut], base)
        differing = np.flatnonzero(~_same(part, whole[:cut]))
        if differing.size:
            at = int(differing[0])
            return Lookahead(len(bars), len(cuts), at, cut, str(whole[at]), str(part[at]))
    return Lookahead(len(bars), len(cuts))


def warmup(kind: str, params: Params, bars: Bars, base: Path) -> Warmup:
    """Starts the strategy at several bars and looks when it agrees with one that has seen all. Its own warm-up is off.

    Raises StrategyError, BacktestError.
    """
    _check_length(bars)
    array = bars.records()
    whole = _outs(kind, params, array, base, warmup_bars=1)
    _check_says_something(kind, whole)
    declared = load_single(kind, base).instantiate(params).warmup_bars
    needed = 1
    for start in np.unique(np.linspace(1, len(bars) // 2, CUTS).astype(int)).tolist():
        differing = np.flatnonzero(~_same(_outs(kind, params, array[start:], base, warmup_bars=1), whole[start:]))
        if differing.size:
            needed = max(needed, int(differing[-1]) + 2)
    return Warmup(len(bars), declared, needed if needed < len(bars) // 2 else None)


def _outs(kind: str, params: Params, bars: BarArray, base: Path, *, warmup_bars: int | None = None) -> Outs:
    return StrategyRun(load_single(kind, base), params, warmup_bars=warmup_bars).feed(bars)


def _same(a: Outs, b: Outs) -> Any:
    alike = (a["target"] == b["target"]) & np.isclose(a["confidence"], b["confidence"], rtol=CLOSE)
    for name in PRICES:
        alike &= np.isclose(a[name], b[name], rtol=CLOSE, atol=0.0, equal_nan=True)
    return alike


def _check_length(bars: Bars) -> None:
    if len(bars) < 2 * CUTS:
        raise BacktestError(f"{len(bars)} bars are too few for this; {2 * CUTS} are the least")


def _check_says_something(kind: str, outs: Outs) -> None:
    if not np.any(outs["target"]):
        why = "so there is nothing to compare; it may need more of them, and an exit has nothing to leave here"
        raise BacktestError(f"{kind} never wants a position in these {len(outs):,} bars, {why}")
