"""Where in the queue of its price level an order is: how much there was before it, and what is left of that.

A recording of levels does not say whose orders were canceled. Two models of what it leaves open:

    risk averse    a level that shrinks without a trade shrank behind the order, as far as there was something behind
    power n        of what a level shrinks by without a trade, a share that depends on the order's place was before it

The second is E. Rigtorp, "Estimating order queue position" (2013, rigtorp.se): with V lots before the order and a level
of Q lots, the share is f(V) / (f(V) + f(max(Q - V, 0))), here with f(x) = x^n, n = 1, 2 or 3, made of products alone.
What was traded at the price since the level's last change is taken out of the change, because it has moved the queue.
"""

from typing import Any

import numpy as np

from tradingd.kernels.compile import kernel

Records = Any  # a NumPy record array


@kernel
def join(order: Records, level: float) -> None:
    """The order goes behind all that is at its price, in lots."""
    order.ahead = order.queue = level
    order.traded = 0.0


@kernel
def pass_trade(order: Records, lots: float) -> int:
    """A trade at the order's price; returns the lots of it that came after all that was before the order.

    Sizes are whole lots at most venues; where they are not, the nearest count is returned, half to even.
    """
    order.ahead -= lots
    order.traded += lots
    return int(np.rint(-order.ahead)) if order.ahead < 0.0 else 0


@kernel
def change_level(order: Records, power: int, before: float, after: float) -> None:
    """The level at the order's price went from `before` to `after` lots. power 0 is the risk-averse model."""
    if power > 0:
        shrunk = before - after - order.traded
        order.traded = 0.0
        if shrunk > 0.0 and order.ahead > 0.0:
            order.ahead = max(order.ahead - share_ahead(order.ahead, before, power) * shrunk, 0.0)
    order.ahead = min(order.ahead, after)


@kernel
def share_ahead(ahead: float, level: float, power: int) -> float:
    """Of what a level loses without a trade, the part that was before an order with `ahead` lots before it."""
    front, back = raised(ahead, power), raised(max(level - ahead, 0.0), power)
    return front / (front + back)


@kernel
def raised(value: float, power: int) -> float:
    result = value
    for _ in range(power - 1):
        result *= value
    return result
