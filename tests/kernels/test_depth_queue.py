"""Queue models: what the formula says, and what has to hold for any events."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.kernels.compile import kernel
from tradingd.kernels.depth_queue import change_level, join, pass_trade, share_ahead
from tradingd.kernels.depth_records import ORDER

Records = Any


@kernel
def joined(orders: Records, level: float) -> None:
    join(orders[0], level)


@kernel
def traded(orders: Records, lots: float) -> int:
    return pass_trade(orders[0], lots)


@kernel
def changed(orders: Records, power: int, before: float, after: float) -> None:
    change_level(orders[0], power, before, after)


def order_behind(level: float) -> np.ndarray[Any, Any]:
    orders = np.zeros(1, ORDER)
    joined(orders, level)
    return orders


@pytest.mark.parametrize(("power", "share"), [(1, 0.2), (2, 1 / 17), (3, 1 / 65)])
def test_the_share_of_what_shrinks(power: int, share: float) -> None:
    """Two of ten are ahead: 2^n / (2^n + 8^n)."""
    assert share_ahead(2.0, 10.0, power) == pytest.approx(share, rel=1e-15)
    orders = order_behind(2.0)
    changed(orders, power, 10.0, 5.0)
    assert orders["ahead"][0] == pytest.approx(2 - 5 * share, rel=1e-15)


def test_the_risk_averse_wait_for_those_behind() -> None:
    orders = order_behind(6.0)
    changed(orders, 0, 10.0, 7.0)
    assert orders["ahead"][0] == 6.0
    changed(orders, 0, 7.0, 4.0)
    assert orders["ahead"][0] == 4.0


def test_a_trade_is_no_cancel_too() -> None:
    """Three are traded, and the level then says so: nothing else left."""
    orders = order_behind(6.0)
    assert traded(orders, 3.0) == 0
    changed(orders, 2, 10.0, 7.0)
    assert (orders["ahead"][0], orders["traded"][0]) == (3.0, 0.0)


def test_what_passes() -> None:
    orders = order_behind(3.0)
    assert traded(orders, 3.0) == 0
    assert traded(orders, 2.0) == 2


@given(st.integers(0, 3), st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=40))
def test_ahead_only_falls_and_is_in_the_level(power: int, events: list[tuple[bool, int]]) -> None:
    level, orders = 20.0, order_behind(20.0)
    for is_trade, lots in events:
        before = orders["ahead"][0]
        if is_trade:
            traded(orders, float(lots % 3))
        else:
            changed(orders, power, level, float(lots))
            level = float(lots)
            assert orders["ahead"][0] <= level
        assert orders["ahead"][0] <= before
        if orders["ahead"][0] <= 0:
            break
