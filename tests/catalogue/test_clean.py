"""What is removed on request, and what is written about it."""

import polars as pl
import pytest

from tradingd.catalogue.clean import DUPLICATES, IMPOSSIBLE, OUTLIERS, SORT, clean
from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import Limits
from tradingd.catalogue.records import Record
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record

MINUTE = 60 * 10**9


def bars(*rows: tuple[int, float]) -> pl.DataFrame:
    """Of (minute, close)."""
    columns = {"ts_open_ns": [minute * MINUTE for minute, _ in rows]}
    columns["ts_close_ns"] = [ts + MINUTE for ts in columns["ts_open_ns"]]
    prices = {name: [close for _, close in rows] for name in ("open", "high", "low", "close")}
    return pl.DataFrame(columns | prices | {"volume": None}, schema=SCHEMAS[Kind.BARS])


def written(catalogue: Catalogue, frame: pl.DataFrame, kind: Kind = Kind.BARS) -> Record:
    return catalogue.write(new_record("US:X", kind, "1m" if kind is Kind.BARS else None, ()), frame).record


def closes(catalogue: Catalogue, record: Record) -> list[float]:
    found: list[float] = catalogue.read(record)["close"].to_list()
    return found


def test_steps_run_in_their_order_and_are_recorded(catalogue: Catalogue) -> None:
    record = written(catalogue, bars((2, 12), (0, 10), (1, 11), (1, 99), (0, 10)))
    done = clean(catalogue, record, [DUPLICATES, SORT], Limits())
    assert closes(catalogue, done.record) == [10, 11, 12]
    assert [(step.name, step.rows_before, step.rows_after) for step in done.steps] == [(SORT, 5, 5), (DUPLICATES, 5, 3)]
    assert done.record.steps == tuple(done.steps)
    assert done.kept is not None
    assert len(pl.read_parquet(done.kept)) == 5


def test_what_is_clean_stays_as_it_is(catalogue: Catalogue) -> None:
    record = written(catalogue, bars((0, 10), (1, 11)))
    done = clean(catalogue, record, [SORT, DUPLICATES, OUTLIERS, IMPOSSIBLE], Limits())
    assert (done.record, done.kept) == (record, None)
    assert catalogue.records() == [record]


def test_an_outlier_goes_by_the_limits_that_are_recorded(catalogue: Catalogue) -> None:
    rows = [(minute, 100 + minute % 3 / 10) for minute in range(200)]
    rows[100] = (100, 104.0)
    record = written(catalogue, bars(*rows))
    assert clean(catalogue, record, [OUTLIERS], Limits(outlier_min=0.05)).kept is None
    done = clean(catalogue, record, [OUTLIERS], Limits())
    assert 104.0 not in closes(catalogue, done.record)
    assert (done.record.rows, done.steps[0].parameters) == (199, {"outlier": 20.0, "outlier_min": 0.02})


def test_impossible_bars_go_and_negative_ones_stay(catalogue: Catalogue) -> None:
    frame = bars((0, 10), (1, 0), (2, -3), (3, 11), (4, 12)).with_columns(
        high=pl.when(pl.col("close") == 11).then(9.0).otherwise("high")
    )
    done = clean(catalogue, written(catalogue, frame), [IMPOSSIBLE], Limits())
    assert closes(catalogue, done.record) == [10, -3, 12]


def test_ticks_are_cleaned_too(catalogue: Catalogue) -> None:
    rows = [(n, n, 100 + n % 3 / 10, 1.0, 0) for n in range(100)]
    rows[50] = (50, 50, 130.0, 1.0, 0)
    rows[60] = (60, 60, 0.0, 1.0, 0)
    rows = [*rows[:70], rows[69], *rows[70:], rows[0]]
    frame = pl.DataFrame(rows, schema=SCHEMAS[Kind.TRADES], orient="row")
    done = clean(catalogue, written(catalogue, frame, Kind.TRADES), [SORT, DUPLICATES, OUTLIERS, IMPOSSIBLE], Limits())
    removed = {step.name: step.rows_before - step.rows_after for step in done.steps}
    assert removed == {SORT: 0, DUPLICATES: 2, IMPOSSIBLE: 1, OUTLIERS: 1}
    assert done.record.rows == 98


def test_nothing_is_done_unasked(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="say what to do: --sort"):
        clean(catalogue, written(catalogue, bars((0, 1))), [], Limits())
