"""When what holding costs falls due: instants of core time, which are whole hours of UTC."""

from collections.abc import Iterator, Sequence

from tradingd.instruments import DAY_NS, HOUR_NS, AccountSettings, Instrument
from tradingd.kernels.closing import NEVER


def intervals_of(instruments: Sequence[Instrument], accounts: Sequence[AccountSettings]) -> tuple[int, ...]:
    """Nanoseconds between instants, each once; they count from 1970, and so from every UTC midnight."""
    by_day = any(i.financing.borrow_rate for i in instruments) or any(a.interest_rate or a.debit_rate for a in accounts)
    hours = [i.financing.funding_interval_h for i in instruments if i.financing.funding_rate]
    return tuple(dict.fromkeys([*[DAY_NS] * by_day, *(h * HOUR_NS for h in hours)]))


def next_ns(intervals_ns: Sequence[int], after_ns: int) -> int:
    """The first instant after `after_ns`; NEVER where nothing is charged."""
    return min(((after_ns // interval + 1) * interval for interval in intervals_ns), default=NEVER)


def between(intervals_ns: Sequence[int], after_ns: int, until_ns: int) -> Iterator[int]:
    """Every instant after `after_ns` and up to `until_ns`."""
    while (after_ns := next_ns(intervals_ns, after_ns)) <= until_ns:
        yield after_ns
