"""How money is posted: average cost in whole units, the same function for the ledger and for every kernel.

Conservation, to the last unit: cost == sum(buy notional) - sum(sell notional) + sum(realized). Each rounding is half to
even and happens once; what it moves between cost and realized never leaves their sum. What does not fit is REFUSED.
"""

import numpy as np

from tradingd.kernels.compile import kernel

MONEY_LIMIT = 2**62  # every amount is smaller than this, so two of them can be added in int64
LOTS_LIMIT = 2**53  # every count of lots is smaller than this, so it is exact as a float
REFUSED = -(2**63)  # no amount: the result would not fit


@kernel
def notional_units(price: float, quantity: float, multiplier: float, units_per_one: int) -> int:
    """price x quantity x multiplier in units of money, rounded half to even; signed as its factors. Or REFUSED."""
    return whole(price * quantity * multiplier * units_per_one)


@kernel
def fee_units(notional: int, quantity: float, rate: float, per_unit: float, minimum: float, units_per_one: int) -> int:
    """rate x |notional| + per_unit x quantity, at least a positive `minimum`, in units of money. Or REFUSED.

    A minimum of 0 is none, so that a negative rate is a rebate.
    """
    fee = rate * abs(notional) + per_unit * quantity * units_per_one
    least = minimum * units_per_one
    if least > 0.0 and fee < least:
        fee = least
    return whole(fee)


@kernel
def post_fill(lots: int, cost: int, fill_lots: int, fill_notional: int) -> tuple[int, int, int]:
    """The position after a fill: (lots, cost, realized), all in whole lots and units of money.

    lots, fill_lots   signed; a buy is positive
    cost              signed sum of the notional of what is open: negative for a short
    fill_notional     |fill_lots| at the fill's price (negative only where the price is)

    Increasing adds to the cost; reducing releases cost in proportion, rounded half to even; a flip closes and then
    opens, and the notional is split by quantity with the same rounding. If a result would not fit, realized is REFUSED
    and the position is as it was.
    """
    after = lots + fill_lots
    if abs(after) >= LOTS_LIMIT or abs(fill_lots) >= LOTS_LIMIT:
        return lots, cost, REFUSED
    flow = fill_notional if fill_lots > 0 else -fill_notional
    if lots == 0 or (lots > 0) == (fill_lots > 0):
        opened, realized = cost + flow, 0
    elif abs(fill_lots) <= abs(lots):
        released = share(cost, abs(fill_lots), abs(lots))
        opened, realized = cost - released, -flow - released
    else:
        closing = share(flow, abs(lots), abs(fill_lots))
        opened, realized = flow - closing, -closing - cost
    if abs(opened) >= MONEY_LIMIT or abs(realized) >= MONEY_LIMIT:
        return lots, cost, REFUSED
    return after, opened, realized


@kernel
def share(amount: int, part: int, whole: int) -> int:
    """amount x part / whole, exact and then rounded half to even; 0 <= part <= whole < LOTS_LIMIT, whole > 0."""
    size = abs(amount)
    quotient = size // whole * part
    extra, rest = _times_over(size % whole, part, whole)
    quotient += extra
    if 2 * rest > whole or (2 * rest == whole and quotient % 2 == 1):
        quotient += 1
    return quotient if amount >= 0 else -quotient


@kernel
def _times_over(a: int, b: int, whole: int) -> tuple[int, int]:
    """Quotient and remainder of a x b / whole for a < whole, b <= whole; the product may need 106 bits."""
    if whole < 2**31:
        return a * b // whole, a * b % whole
    quotient, rest = 0, 0
    for shift in range(53, -1, -1):
        rest = 2 * rest + a * ((b >> shift) & 1)
        quotient = 2 * quotient + rest // whole
        rest = rest % whole
    return quotient, rest


@kernel
def whole(amount: float) -> int:
    """Rounded half to even. Or REFUSED."""
    rounded = np.rint(amount)
    return int(rounded) if abs(rounded) < 4611686018427387904.0 else REFUSED  # 2**62; NaN is refused too


def checked(units: int) -> int:
    """`units`, or OverflowError where a kernel refused."""
    if units == REFUSED:
        raise OverflowError("an amount of money does not fit into 62 bits; choose a coarser unit for this account")
    return units


def load() -> None:
    """Compiles what Python calls, or takes it from the cache."""
    notional_units(1.0, 1.0, 1.0, 1)
    fee_units(1, 1.0, 0.0, 0.0, 0.0, 1)
    post_fill(0, 0, 1, 1)
