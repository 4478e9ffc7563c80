"""What holding costs, as changes of the balance in whole units: the same functions for the core and the kernel engine.

Each amount is rounded once, half to even. What does not fit is REFUSED.
"""

import numpy as np

from tradingd.kernels.compile import kernel
from tradingd.kernels.posting import whole

DAYS_PER_YEAR = 365.0
BORROW, FUNDING, INTEREST = range(3)  # why the balance has changed
# a time at which something falls due
INSTANT = np.dtype(
    [
        ("bar", "i8"),
        ("within", "u1"),  # after its open; 0 = before it
        ("at_close", "u1"),  # of the bar before, and not after it
        ("is_midnight", "u1"),
        ("funding_rate", "f8"),
        ("expires", "u1"),  # the instrument, and nothing else falls due
    ],
    align=True,
)
# a change of the balance that no fill has made
POSTING = np.dtype([("bar", "i8"), ("kind", "u1"), ("change", "i8")], align=True)


@kernel
def borrow_change(value: int, rate: float) -> int:
    """One day of a short position of `value` units, signed as the position."""
    return whole(-(abs(value) * rate / DAYS_PER_YEAR))


@kernel
def funding_change(value: int, rate: float) -> int:
    """One instant: a long position pays where the rate is positive, a short one gets it."""
    return whole(-(value * rate))


@kernel
def interest_change(cash: int, interest_rate: float, debit_rate: float) -> int:
    """One day of `cash` units, or of what they are below zero."""
    rate = interest_rate if cash > 0 else debit_rate
    return whole(cash * rate / DAYS_PER_YEAR)


def load() -> None:
    """Compiles what Python calls, or takes it from the cache."""
    borrow_change(1, 0.0)
    funding_change(1, 0.0)
    interest_change(1, 0.0, 0.0)
