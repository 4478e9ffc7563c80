"""Money is conserved to the last unit, exact where it says so, and refused where it does not fit."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.kernels import posting
from tradingd.kernels.posting import LOTS_LIMIT, MONEY_LIMIT, REFUSED, checked, fee_units, notional_units, share

FILLS = st.lists(st.tuples(st.integers(-1000, 1000).filter(bool), st.integers(-(10**12), 10**12)), max_size=60)
AMOUNTS = st.integers(-MONEY_LIMIT + 1, MONEY_LIMIT - 1)
LOTS = st.integers(1, 53).flatmap(lambda bits: st.integers(2 ** (bits - 1), 2**bits - 1))  # of every magnitude


def fold(fills: list[tuple[int, int]]) -> tuple[int, int, int]:
    """(lots, cost, sum of realized)."""
    lots = cost = total = 0
    for fill_lots, notional in fills:
        lots, cost, realized = posting.post_fill(lots, cost, fill_lots, notional)
        total += checked(realized)
    return lots, cost, total


@given(FILLS)
def test_cost_is_bought_minus_sold_plus_realized(fills: list[tuple[int, int]]) -> None:
    lots, cost, realized = fold(fills)
    flow = sum(notional if fill_lots > 0 else -notional for fill_lots, notional in fills)
    assert lots == sum(fill_lots for fill_lots, _ in fills)
    assert cost == flow + realized


@given(FILLS)
def test_a_flat_position_has_no_cost(fills: list[tuple[int, int]]) -> None:
    held = sum(fill_lots for fill_lots, _ in fills)
    lots, cost, _ = fold([*fills, (-held, 12345)] if held else fills)
    assert (lots, cost) == (0, 0)


@given(FILLS)
def test_mirrored_fills_give_the_mirrored_position(fills: list[tuple[int, int]]) -> None:
    lots, cost, realized = fold(fills)
    mirrored = fold([(-fill_lots, notional) for fill_lots, notional in fills])
    assert mirrored == (-lots, -cost, -realized)


@given(AMOUNTS, LOTS, LOTS)
def test_share_is_exact_and_rounds_half_to_even(amount: int, a: int, b: int) -> None:
    part, whole = sorted((a, b))
    assert share(amount, part, whole) == round(Fraction(amount * part, whole))


@pytest.mark.parametrize("scale", [1, 2**20 + 1, 2**40 + 1])  # the long way round is exact too
@pytest.mark.parametrize(("amount", "expected"), [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (-5, -2), (7, 4)])
def test_halves_go_to_even(amount: int, expected: int, scale: int) -> None:
    assert share(amount, scale, 2 * scale) == expected


def test_average_cost_by_hand() -> None:
    # given 10 lots for 1,000, when 4 are sold for 500, then 400 of cost are released and 100 are realised
    assert posting.post_fill(10, 1000, -4, 500) == (6, 600, 100)
    # when 9 are sold from these 6 for 900, then 600 close them without a profit, and 300 open a short of 3
    assert posting.post_fill(6, 600, -9, 900) == (-3, -300, 0)
    # when 1 of 3 that cost 1,000 is sold, then a third of the cost, rounded, is released
    assert posting.post_fill(3, 1000, -1, 0) == (2, 667, -333)


@pytest.mark.parametrize(
    ("lots", "cost", "fill_lots", "notional"),
    [
        (LOTS_LIMIT - 1, 5, 1, 1),
        (0, 0, LOTS_LIMIT, 1),
        (1, MONEY_LIMIT - 1, 1, 1),
        (1, -MONEY_LIMIT + 1, -1, MONEY_LIMIT - 1),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(lots: int, cost: int, fill_lots: int, notional: int) -> None:
    assert posting.post_fill(lots, cost, fill_lots, notional) == (lots, cost, REFUSED)


@pytest.mark.parametrize("price", [1e300, float("inf"), float("nan"), 2.0**62])
def test_a_notional_that_does_not_fit_is_an_error(price: float) -> None:
    with pytest.raises(OverflowError, match="coarser unit"):
        checked(notional_units(price, 1.0, 1.0, 1))


@pytest.mark.parametrize(
    ("price", "quantity", "multiplier", "units", "expected"),
    [
        (61_234.5, 0.003, 1.0, 1_000_000, 183_703_500),
        (0.5, 1.0, 1.0, 1, 0),
        (1.5, 1.0, 1.0, 1, 2),
        (2.5, 1.0, 1.0, 1, 2),
        (-37.63, 1.0, 1000.0, 100, -3_763_000),
        (4500.25, 2.0, 50.0, 100, 45_002_500),
    ],
)
def test_notional(price: float, quantity: float, multiplier: float, units: int, expected: int) -> None:
    assert notional_units(price, quantity, multiplier, units) == expected


@pytest.mark.parametrize(
    ("rate", "per_unit", "minimum", "expected"),
    [
        (0.0, 0.0, 0.0, 0),
        (0.0004, 0.0, 0.0, 4),
        (0.0, 0.01, 0.0, 5),
        (0.0, 0.0, 1.0, 100),  # a minimum is a minimum of every fill
        (0.01, 0.0, 0.5, 100),
        (-0.0001, 0.0, 0.0, -1),  # a rebate
        (-0.0001, 0.0, 0.01, 1),
    ],
)
def test_fees_on_a_notional_of_100_for_5_units(rate: float, per_unit: float, minimum: float, expected: int) -> None:
    assert fee_units(-10_000, 5.0, rate, per_unit, minimum, 100) == expected


@given(FILLS)
def test_compiled_and_plain_python_agree(fills: list[tuple[int, int]]) -> None:
    plain: Any = posting.post_fill
    lots = cost = 0
    for fill_lots, notional in fills:
        after = posting.post_fill(lots, cost, fill_lots, notional)
        assert after == plain.py_func(lots, cost, fill_lots, notional)
        lots, cost, _ = after
