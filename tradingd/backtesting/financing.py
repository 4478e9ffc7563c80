"""When what holding costs falls due, as places among bars."""

from typing import Any

import numpy as np

from tradingd.backtesting.settings import BacktestSettings
from tradingd.columns import I64
from tradingd.core.instants import intervals_of
from tradingd.feeds.bars.funding import Funding
from tradingd.feeds.bars.table import Bars
from tradingd.instruments import DAY_NS, HOUR_NS
from tradingd.kernels.financing import INSTANT, POSTING

Records = np.ndarray[Any, Any]
NO_FUNDING = Funding(np.empty(0, np.int64), np.empty(0))


def instants_of(settings: BacktestSettings, bars: Bars, funding: Funding | None) -> Records:
    """Of kernels.financing.INSTANT, in order: those that the bars reach. Where times are the same, expiry comes after
    what falls due by the calendar, and recorded rates come last."""
    parts = (_by_calendar(settings, bars), _expiry(settings), _recorded(funding))
    ts_ns, instants = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    kept = np.flatnonzero(is_reached(ts_ns, bars))
    ordered = kept[np.argsort(ts_ns[kept], kind="stable")]
    made: Records = instants[ordered]
    made["bar"], made["within"] = placed(ts_ns[ordered], bars)
    made["at_close"] = (made["within"] == 0) & (ts_ns[ordered] == bars.ts_close_ns[made["bar"] - 1])
    return made


def _by_calendar(settings: BacktestSettings, bars: Bars) -> tuple[I64, Records]:
    terms, ts_ns = settings.instrument.financing, _all(settings, bars)
    instants = np.zeros(len(ts_ns), INSTANT)
    instants["is_midnight"] = ts_ns % DAY_NS == 0
    instants["funding_rate"] = np.where(ts_ns % (terms.funding_interval_h * HOUR_NS) == 0, terms.funding_rate, 0.0)
    return ts_ns, instants


def _expiry(settings: BacktestSettings) -> tuple[I64, Records]:
    expires = [settings.instrument.expires_ns] if settings.instrument.expires else []
    instants = np.zeros(len(expires), INSTANT)
    instants["expires"] = 1
    return np.array(expires, np.int64), instants


def _recorded(funding: Funding | None) -> tuple[I64, Records]:
    told = funding or NO_FUNDING
    instants = np.zeros(len(told), INSTANT)
    instants["funding_rate"] = told.rate
    return told.ts_ns, instants


def reached(funding: Funding | None, bars: Bars) -> Funding:
    return funding.part(is_reached(funding.ts_ns, bars)) if funding else NO_FUNDING


def placed(ts_ns: I64, bars: Bars) -> tuple[I64, I64]:
    """(the bar, whether it is within it): before the open of a bar is all after the close of the one before."""
    at = np.searchsorted(bars.ts_open_ns, ts_ns, side="left")
    within = (at > 0) & (ts_ns < bars.ts_close_ns[np.maximum(at, 1) - 1])
    return at - within, within.astype(np.int64)


def summed(bar: I64, kind: I64, change: I64) -> Records:
    """POSTINGs: one for each bar and kind, in order, where it comes to anything."""
    keys, place = np.unique(np.stack([bar, kind]), axis=1, return_inverse=True)
    postings = np.zeros(keys.shape[1], POSTING)
    postings["bar"], postings["kind"] = keys
    np.add.at(postings["change"], place, change)
    kept: Records = postings[postings["change"] != 0]
    return kept


def is_reached(ts_ns: I64, bars: Bars) -> Any:
    """Which of them are after the first open and before the last close."""
    return (ts_ns > bars.ts_open_ns[0]) & (ts_ns < bars.ts_close_ns[-1])


def _all(settings: BacktestSettings, bars: Bars) -> I64:
    """Whole multiples of each interval, each once, from before the first bar on."""
    intervals = intervals_of((settings.instrument,), (settings.account,))
    first_ns, last_ns = int(bars.ts_open_ns[0]), int(bars.ts_close_ns[-1])
    multiples = [np.arange(first_ns // each * each, last_ns, each).astype(np.int64) for each in intervals]
    return np.unique(np.concatenate([np.empty(0, np.int64), *multiples]))
