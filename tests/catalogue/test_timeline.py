"""Several instruments on one timeline."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.timeline import timeline

closes = st.dictionaries(st.integers(0, 40), st.floats(1, 100), max_size=20)


def bars(rows: dict[int, float]) -> pl.DataFrame:
    return pl.DataFrame(
        {"ts_close_ns": list(rows), "close": list(rows.values())}, schema={"ts_close_ns": pl.Int64, "close": pl.Float64}
    )


@given(st.lists(closes, min_size=1, max_size=4))
def test_every_close_is_in_its_row_and_nowhere_else(assets: list[dict[int, float]]) -> None:
    found = timeline({str(n): bars(rows) for n, rows in enumerate(assets)})
    times = sorted({ts for rows in assets for ts in rows})
    assert found["ts_close_ns"].to_list() == times
    for n, rows in enumerate(assets):
        assert found[str(n)].to_list() == [rows.get(ts) for ts in times]


def test_columns_are_in_the_order_in_which_they_were_given() -> None:
    assert timeline({"US:B": bars({1: 1.0}), "US:A": bars({2: 2.0})}).columns == ["ts_close_ns", "US:B", "US:A"]
    assert timeline({}).columns == ["ts_close_ns"]


def test_two_bars_of_one_time_are_refused() -> None:
    with pytest.raises(CatalogueError, match="US:A has several bars of one time"):
        timeline({"US:A": pl.concat([bars({1: 1.0}), bars({1: 2.0})])})
