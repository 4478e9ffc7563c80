"""Cells of one column as numbers."""

import math
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.feeds.files.cells import choices, flags, integers, numbers, times_ns
from tradingd.feeds.rows import UNKNOWN_NS

NOON_NS = int(datetime(2013, 1, 1, 12, tzinfo=UTC).timestamp()) * 10**9


def text(*cells: str | None) -> pl.Series:
    return pl.Series("c", cells, dtype=pl.String)


def test_numbers_are_the_floats_of_their_text() -> None:
    cells = numbers(text("1.1", "-0.0", "1e3", None, "", "abc", "NaN", " 1"))
    assert cells.values[:3].tolist() == [1.1, 0.0, 1000.0]
    assert math.copysign(1, cells.values[1]) == 1
    assert [math.isnan(value) for value in cells.values[3:5]] == [True, True]
    assert cells.bad.tolist() == [False] * 5 + [True] * 3


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_reads_back_as_itself(value: float) -> None:
    assert numbers(text(repr(value))).values.tolist() == [value]


def test_typed_numbers_keep_their_value_and_a_nan_is_absent() -> None:
    cells = numbers(pl.Series("c", [1.5, math.nan, None]))
    assert cells.bad.tolist() == [False, False, False]
    assert cells.values[0] == 1.5


def test_ids_are_whole_numbers_from_zero() -> None:
    cells = integers(text("12", None, "1.5", "-3", "x"), absent=-1)
    assert cells.values[:2].tolist() == [12, -1]
    assert cells.bad.tolist() == [False, False, True, True, True]


def test_choices_and_flags() -> None:
    cells = choices(text("Buy", "sell", None, "both"), {"buy": 1, "sell": 2})
    assert cells.values.tolist() == [1, 2, 0, 0]
    assert cells.bad.tolist() == [False, False, False, True]
    assert flags(text("1", "0", "", None, "False", "odd")).tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize(
    ("unit", "cell", "ns"),
    [
        ("s", "1357041600", NOON_NS),
        ("s", "1357041600.25", NOON_NS + 250_000_000),
        ("ms", "1357041600000.5", NOON_NS + 500_000),
        ("us", "1357041600000001", NOON_NS + 1_000),
        ("ns", "1357041600000000001", NOON_NS + 1),
        ("iso", "2013-01-01T12:00:00Z", NOON_NS),
        ("iso", "2013-01-01 12:00:00", NOON_NS),
        ("iso", "2013-01-01 12:00:00.295000+00:00", NOON_NS + 295_000_000),
        ("iso", "2013-01-01T13:00:00.000000001+01:00", NOON_NS + 1),
        ("ms", "", UNKNOWN_NS),
        ("ms", "-5", UNKNOWN_NS),
        ("ms", "0", UNKNOWN_NS),
        ("ms", "9223372036854775807", UNKNOWN_NS),
        ("ms", "noon", UNKNOWN_NS),
        ("iso", "2013-13-01 12:00:00", UNKNOWN_NS),
    ],
)
def test_times(unit: str, cell: str, ns: int) -> None:
    for others in ((), (str(NOON_NS),)):
        cells = times_ns(text(cell, *others), unit)
        assert cells.values[0] == ns
        assert cells.bad[0] == (ns == UNKNOWN_NS)


def test_typed_times_need_no_unit() -> None:
    for time_unit in ("ms", "us", "ns"):
        series = pl.Series("c", [datetime(2013, 1, 1, 12, tzinfo=UTC)], dtype=pl.Datetime(time_unit, "UTC"))
        assert times_ns(series, "s").values.tolist() == [NOON_NS]
