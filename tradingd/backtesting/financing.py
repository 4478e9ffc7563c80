"""When what holding costs falls due, as places among bars."""

from typing import Any

import numpy as np

from tradingd.backtesting.settings import BacktestSettings
from tradingd.columns import I64
from tradingd.core.instants import intervals_of
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import DAY_NS, HOUR_NS
from tradingd.kernels.financing import INSTANT

Records = np.ndarray[Any, Any]


def instants_of(settings: BacktestSettings, bars: Bars) -> Records:
    """Of kernels.financing.INSTANT, in order: those that the bars reach."""
    terms = settings.instrument.financing
    ts_ns = reached(_all(settings, bars), bars)
    instants = np.zeros(len(ts_ns), INSTANT)
    instants["bar"], instants["within"] = placed(ts_ns, bars)
    instants["is_midnight"] = ts_ns % DAY_NS == 0
    instants["funding_rate"] = np.where(ts_ns % (terms.funding_interval_h * HOUR_NS) == 0, terms.funding_rate, 0.0)
    return instants


def placed(ts_ns: I64, bars: Bars) -> tuple[I64, I64]:
    """(the bar, whether it is within it): before the open of a bar is all after the close of the one before."""
    at = np.searchsorted(bars.ts_open_ns, ts_ns, side="left")
    within = (at > 0) & (ts_ns < bars.ts_close_ns[np.maximum(at, 1) - 1])
    return at - within, within.astype(np.int64)


def reached(ts_ns: I64, bars: Bars) -> I64:
    """Those after the first open and before the last close."""
    kept: I64 = ts_ns[(ts_ns > bars.ts_open_ns[0]) & (ts_ns < bars.ts_close_ns[-1])]
    return kept


def _all(settings: BacktestSettings, bars: Bars) -> I64:
    """Whole multiples of each interval, each once, from before the first bar on."""
    intervals = intervals_of((settings.instrument,), (settings.account,))
    first_ns, last_ns = int(bars.ts_open_ns[0]), int(bars.ts_close_ns[-1])
    multiples = [np.arange(first_ns // each * each, last_ns, each).astype(np.int64) for each in intervals]
    return np.unique(np.concatenate([np.empty(0, np.int64), *multiples]))
