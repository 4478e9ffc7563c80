"""Bars are checked once; what can not be traded on is said in one line."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tradingd.feeds.bars.table import Bars, BarsError, read_bars


def frame(rows: int = 3, **columns: object) -> pl.DataFrame:
    opens = np.arange(rows, dtype=np.int64) * 60
    made: dict[str, object] = {"ts_open_ns": opens, "ts_close_ns": opens + 60}
    made |= {"open": [10.0] * rows, "high": [11.0] * rows, "low": [9.0] * rows, "close": [10.5] * rows}
    return pl.DataFrame(made | columns)


def test_a_volume_that_is_not_there_is_0() -> None:
    assert Bars.of(frame()).volume.tolist() == [0.0, 0.0, 0.0]
    assert Bars.of(frame(volume=[1.0, None, 3.0])).volume.tolist() == [1.0, 0.0, 3.0]


def test_times_may_be_datetimes() -> None:
    times = pl.from_epoch(pl.col("ts_open_ns", "ts_close_ns"), "s")  # microseconds
    assert Bars.of(frame().with_columns(times)).ts_open_ns.tolist() == [0, 60 * 10**9, 120 * 10**9]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"close": [1.0, None, 1.0]}, "row 1 has no close"),
        ({"close": [1.0, 2.0, float("nan")]}, "row 2 has no close"),
        ({"low": [9.0, 12.0, 9.0]}, "row 1 has a high below the low"),
        ({"ts_open_ns": [0, 30, 120]}, "row 1 has a bar that opens before the one before it has closed"),
        ({"ts_close_ns": [60, 60, 180]}, "row 1 has a bar that closes before it opens"),
        ({"open": ["1", "2", "3"]}, "column open holds String"),
    ],
)
def test_bars_that_can_not_be(changed: dict[str, object], said: str) -> None:
    with pytest.raises(BarsError, match=said):
        Bars.of(frame(**changed))


def test_no_bars_and_no_column() -> None:
    with pytest.raises(BarsError, match="the frame has no bars"):
        Bars.of(frame(rows=0))
    with pytest.raises(BarsError, match="has no column high; it has ts_open_ns"):
        Bars.of(frame().drop("high"))
    with pytest.raises(BarsError, match="it has '', Open; `trade data import` makes bars of a file"):
        Bars.of(pl.DataFrame({"": ["2020-01-01"], "Open": [1.0]}))


@pytest.mark.parametrize(
    ("close", "size"), [(10.0, 1.0), (10.5, 0.1), (10.25, 0.01), (1.23456, 1e-5), (1 / 3 + 9, 1e-8)]
)
def test_the_tick_size_of_prices(close: float, size: float) -> None:
    assert Bars.of(frame(close=[10.0, close, 10.0])).tick_size() == size


@pytest.mark.parametrize("name", ["open", "close"])
def test_the_tick_size_is_that_of_the_last_price_too(name: str) -> None:
    prices = [10.0] * 40_000 + [9.75]
    assert Bars.of(frame(len(prices), **{name: prices})).tick_size() == 0.01


@pytest.mark.parametrize("name", Bars.__slots__)
def test_a_digest_is_of_every_column(name: str) -> None:
    plain = frame(volume=[0.0, 0.0, 0.0])
    changed = plain.with_columns(pl.col(name) + pl.Series([0, 0, 1]) * (0.25 if name == "open" else 1))
    assert Bars.of(frame()).digest() == Bars.of(plain).digest() != Bars.of(changed).digest()


def test_prices_far_below_one_have_a_tick_of_their_own() -> None:
    tiny = frame().with_columns(pl.col("open", "high", "low", "close") * 1e-7)
    assert Bars.of(tiny).tick_size() == 1e-8
    assert Bars.of(tiny.with_columns(pl.col("close") + 1e-10)).tick_size() == 1e-10


def test_decimals_of_half_precision_are_meant() -> None:
    narrow = frame(close=[10.34, 10.35, 10.36]).with_columns(pl.col("close").cast(pl.Float32))
    assert Bars.of(narrow).close.tolist() == [10.34, 10.35, 10.36]


def test_a_time_that_is_no_number() -> None:
    with pytest.raises(BarsError, match="column ts_open_ns does not fit"):
        Bars.of(frame(ts_open_ns=[0.0, float("nan"), 120.0]))


def test_files(tmp_path: Path) -> None:
    frame().write_parquet(tmp_path / "bars.parquet")
    frame().write_csv(tmp_path / "bars.csv")
    assert read_bars(tmp_path / "bars.parquet").digest() == read_bars(tmp_path / "bars.csv").digest()
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "bars.parquet").read_bytes()[:-10])
    (tmp_path / "empty.csv").touch()
    for name, said in (
        ("cut.parquet", "can not be read"),
        ("empty.csv", "can not be read"),
        ("none.csv", "is no file"),
    ):
        with pytest.raises(BarsError, match=f"{name} {said}"):
            read_bars(tmp_path / name)
