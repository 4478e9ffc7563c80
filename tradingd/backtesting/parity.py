"""Whether two engines made the same of the same bars: every fill and every mark, to the last unit of money."""

from typing import Any

import numpy as np

from tradingd.backtesting.engine import Executed
from tradingd.backtesting.result import PHASES, REASONS
from tradingd.reducers.post import FINANCING


def difference(one: Executed, other: Executed) -> str | None:
    """The first of them, in words; None where there is none."""
    for number, (a, b) in enumerate(zip(one.fills, other.fills, strict=False), 1):
        if a != b:
            return f"fill {number}: {_in_words(a)}; {_in_words(b)}"
    if len(one.fills) != len(other.fills):
        longer = max(one.fills, other.fills, key=len)
        first = _in_words(longer[min(len(one.fills), len(other.fills))])
        return f"{len(one.fills):,} fills; {len(other.fills):,} fills; the first that only one has: {first}"
    if (found := _posted_otherwise(one, other)) is not None:
        return found
    if not np.array_equal(one.equity, other.equity):
        bar = int(np.argmax(one.equity != other.equity))
        return f"equity after bar {bar}: {one.equity[bar]}; {other.equity[bar]}"
    return None


def _posted_otherwise(one: Executed, other: Executed) -> str | None:
    for number, (a, b) in enumerate(zip(one.postings, other.postings, strict=False), 1):
        if a != b:
            return f"posting {number}: {_posted(a)}; {_posted(b)}"
    if len(one.postings) != len(other.postings):
        return f"{len(one.postings):,} postings; {len(other.postings):,} postings"
    return None


def _posted(posting: Any) -> str:
    return f"bar {posting['bar']}, {FINANCING[posting['kind']]} {posting['change']}"


def _in_words(fill: Any) -> str:
    what = f"{REASONS[fill['reason']]} at {PHASES[fill['phase']]}"
    money = f"fee {fill['fee']}, realized {fill['realized']}, balance {fill['balance']}"
    return f"bar {fill['bar']}, {fill['lots']:+} lots at {fill['price']} ({what}; {money})"
