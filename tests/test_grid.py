"""Counts of steps and their floats."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.grid import grid_of

STEPS = st.sampled_from([0.01, 0.1, 1e-8, 0.00001, 0.25, 0.015625, 5.0, 1.0, 0.3, 12.5])
COUNTS = st.integers(-(10**9), 10**9)


@given(STEPS, COUNTS)
def test_a_count_is_the_double_nearest_to_its_decimal(step: float, count: int) -> None:
    assert grid_of(step).value(count) == float(Decimal(repr(step)) * count)


@given(STEPS, COUNTS)
def test_a_count_and_its_value_are_inverse(step: float, count: int) -> None:
    grid = grid_of(step)
    value = grid.value(count)
    assert grid.nearest(value) == grid.floor(value) == grid.ceil(value) == count
    assert grid.holds(value)


@given(STEPS, st.floats(-1e6, 1e6))
def test_floor_and_ceil_enclose(step: float, value: float) -> None:
    grid = grid_of(step)
    below, above = grid.value(grid.floor(value)), grid.value(grid.ceil(value))
    assert below <= value <= above
    assert grid.ceil(value) - grid.floor(value) == (0 if grid.holds(value) else 1)


def test_products_with_a_float_step_are_off_the_grid() -> None:
    assert 3 * 0.1 != grid_of(0.1).value(3) == 0.3
    assert not grid_of(0.1).holds(3 * 0.1)


def test_there_is_no_negative_zero() -> None:
    assert str(grid_of(0.01).value(grid_of(0.01).nearest(-0.001))) == "0.0"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_count(value: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        grid_of(0.01).nearest(value)
