"""Longer bars of bars and ticks, against the same made row by row."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.errors import CatalogueError, DataRefusedError
from tradingd.catalogue.resample import Resampled, resample
from tradingd.catalogue.resampling import resample_data
from tradingd.catalogue.sessions import parse_session
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record
from tradingd.columns import INELIGIBLE

MINUTE, HOUR = 60 * 10**9, 3600 * 10**9
NEW_YORK = "mon-fri/09:30-16:00@America/New_York"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


T0 = ns("2020-01-06 00:00")


def bars(opened: Sequence[int], length: int = MINUTE) -> pl.DataFrame:
    """Prices are small whole numbers that differ from row to row."""
    columns = {
        "ts_open_ns": list(opened),
        "ts_close_ns": [ts + length for ts in opened],
        "open": [100 + n * 7 % 13 for n in range(len(opened))],
        "high": [120 + n * 5 % 11 for n in range(len(opened))],
        "low": [80 - n * 3 % 17 for n in range(len(opened))],
        "close": [100 + n * 11 % 19 for n in range(len(opened))],
        "volume": [n % 5 if n % 3 else None for n in range(len(opened))],
    }
    return pl.DataFrame(columns, schema=SCHEMAS[Kind.BARS])


def made(
    frame: pl.DataFrame, target: str, session: str | None = None, *, partial: bool = False, source: str = "1m"
) -> Resampled:
    parsed = parse_session(session) if session else None
    return resample(frame, Kind.BARS, source, target, parsed, keep_partial=partial)


def slowly(frame: pl.DataFrame, length: int) -> list[tuple[float | None, ...]]:
    """One row after the other."""
    done: dict[int, list[float | None]] = {}
    for ts, _, opened, high, low, close, volume in frame.rows():
        border = ts - ts % length
        if border not in done:
            done[border] = [opened, high, low, close, volume]
            continue
        bar = done[border]
        bar[1], bar[2], bar[3] = max(bar[1], high), min(bar[2], low), close
        bar[4] = volume if bar[4] is None else bar[4] + (volume or 0)
    return [(ts, ts + length, *bar) for ts, bar in done.items()]


minutes = st.sets(st.integers(0, 60 * 30), min_size=1, max_size=200).map(sorted)


@given(minutes, st.sampled_from([("5m", 5), ("1h", 60), ("4h", 240)]))
def test_bars_are_those_of_a_slow_loop(opened: list[int], target: tuple[str, int]) -> None:
    frame = bars([T0 + MINUTE * minute for minute in opened])
    assert made(frame, target[0], partial=True).bars.rows() == slowly(frame, target[1] * MINUTE)


@given(minutes, st.integers(0, 60 * 30))
def test_a_bar_is_never_there_before_its_close(opened: list[int], now: int) -> None:
    """What is known at a time makes the same bars up to then, whatever comes later."""
    frame = bars([T0 + MINUTE * minute for minute in opened])
    now_ns = T0 + MINUTE * now
    known = frame.filter(pl.col("ts_close_ns") <= now_ns)
    closed = pl.col("ts_close_ns") <= now_ns
    later = made(frame, "1h", partial=True).bars.filter(closed)
    assert later.is_empty() if known.is_empty() else later.equals(made(known, "1h", partial=True).bars.filter(closed))


@given(minutes)
def test_by_way_of_a_shorter_bar_is_the_same(opened: list[int]) -> None:
    frame = bars([T0 + MINUTE * minute for minute in opened])
    quarters = made(frame, "15m", partial=True).bars
    assert made(quarters, "1h", partial=True, source="15m").bars.equals(made(frame, "1h", partial=True).bars)


def test_a_gap_makes_no_bar() -> None:
    done = made(bars([T0 + MINUTE * minute for minute in (0, 59, 180, 239)]), "1h")
    assert done.bars["ts_open_ns"].to_list() == [T0, T0 + 3 * HOUR]


def test_partial_bars_are_told_and_left_out_or_kept() -> None:
    frame = bars([T0 + MINUTE * minute for minute in range(30, 150)])
    left = made(frame, "1h")
    assert left.bars["ts_open_ns"].to_list() == [T0 + HOUR]
    assert left.partial == [T0, T0 + 2 * HOUR]
    kept = made(frame, "1h", partial=True)
    assert (kept.bars["ts_open_ns"].to_list(), kept.partial) == ([T0, T0 + HOUR, T0 + 2 * HOUR], left.partial)


def test_days_are_those_of_the_session_and_what_is_outside_makes_none() -> None:
    """From before the opening of 2020-03-06 to after the close of 2020-03-09; New York's clocks changed between."""
    opened = [ns("2020-03-06 14:00") + MINUTE * minute for minute in range(60 * 8)]
    opened += [ns("2020-03-09 13:00") + MINUTE * minute for minute in range(60 * 8)]
    done = made(bars(opened), "1d", NEW_YORK)
    borders = [("2020-03-06 14:30", "2020-03-06 21:00"), ("2020-03-09 13:30", "2020-03-09 20:00")]
    assert [row[:2] for row in done.bars.rows()] == [(ns(one), ns(two)) for one, two in borders]
    assert (done.outside, done.partial) == (2 * 60 * 8 - 2 * 390, [])


def test_a_session_over_midnight_is_one_day() -> None:
    opened = [ns("2020-01-05 22:00") + MINUTE * minute for minute in range(60 * 24)]
    done = made(bars(opened), "1d", "sun-thu/17:00-17:00@America/New_York")
    assert [row[:2] for row in done.bars.rows()] == [(ns("2020-01-05 22:00"), ns("2020-01-06 22:00"))]


def test_hours_of_a_session_leave_the_rest_out() -> None:
    opened = [ns("2020-01-06 14:00") + MINUTE * minute for minute in range(120)]
    done = made(bars(opened), "1h", NEW_YORK, partial=True)
    assert done.bars["open"][0] == bars(opened)["open"][30]
    assert done.outside == 30


def test_a_bar_across_a_border_is_left_out_and_counted() -> None:
    done = made(bars([T0, T0 + HOUR - 30 * 10**9, T0 + HOUR + 30 * 10**9]), "1h", partial=True)
    assert (done.outside, done.bars["ts_open_ns"].to_list()) == (1, [T0, T0 + HOUR])


def test_closes_alone_make_closes_alone() -> None:
    frame = bars([T0 + MINUTE * minute for minute in range(60)])
    frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("open", "high", "low", "volume"))
    assert made(frame, "1h").bars.rows() == [(T0, T0 + HOUR, None, None, None, frame["close"][-1], None)]


@pytest.mark.parametrize(("source", "target"), [("1h", "1h"), ("1h", "5m"), ("4h", "1h")])
def test_shorter_bars_are_not_made(source: str, target: str) -> None:
    with pytest.raises(CatalogueError, match="do not make bars of"):
        made(bars([T0]), target, source=source)


@pytest.mark.parametrize("order", [[0, 0], [1, 0]])
def test_bars_that_do_not_follow_each_other_are_refused(order: list[int]) -> None:
    with pytest.raises(CatalogueError, match=r"row 1 .* does not follow the one before it"):
        made(bars([T0 + MINUTE * n for n in order]), "1h")


def test_a_day_needs_a_session() -> None:
    with pytest.raises(CatalogueError, match="a day needs a session"):
        made(bars([T0]), "1d")


def ticks(kind: Kind, *rows: tuple[float | int | None, ...]) -> pl.DataFrame:
    """Rows of (second, then the columns of the kind after its times)."""
    full = [(T0 + int(row[0] or 0) * 10**9,) * 2 + row[1:] for row in rows]
    return pl.DataFrame(full, schema=SCHEMAS[kind], orient="row")


def test_trades_make_bars_without_those_not_to_be_traded_on() -> None:
    frame = ticks(
        Kind.TRADES,
        (0, 10.0, 1.0, 0), (10, 14.0, 2.0, 1), (20, 99.0, 5.0, INELIGIBLE), (59, 9.0, None, 2), (60, 8.0, 3.0, 0),
        (180, 7.0, 1.0, 0),
    )  # fmt: skip
    done = resample(frame, Kind.TRADES, None, "1m", None, keep_partial=False)
    assert done.bars.rows() == [
        (T0, T0 + MINUTE, 10.0, 14.0, 9.0, 9.0, 3.0),
        (T0 + MINUTE, T0 + 2 * MINUTE, 8.0, 8.0, 8.0, 8.0, 3.0),
    ]
    assert (done.ineligible, done.partial) == (1, [T0 + 3 * MINUTE])


def test_quotes_make_bars_of_their_mid_and_an_absent_side_did_not_change() -> None:
    frame = ticks(
        Kind.QUOTES,
        (0, 10.0, 1.0, None, None, 0), (1, None, None, 12.0, 1.0, 0), (2, 12.0, 1.0, None, None, 0),
        (61, None, None, 14.0, 1.0, 0),
    )  # fmt: skip
    done = resample(frame, Kind.QUOTES, None, "1m", None, keep_partial=True)
    assert done.bars.rows() == [
        (T0, T0 + MINUTE, 11.0, 12.0, 11.0, 12.0, None),
        (T0 + MINUTE, T0 + 2 * MINUTE, 13.0, 13.0, 13.0, 13.0, None),
    ]
    assert done.ineligible == 1


def test_the_record_says_what_bars_were_made_of(catalogue: Catalogue) -> None:
    frame = bars([T0 + MINUTE * minute for minute in range(120)])
    source = catalogue.write(new_record("US:X", Kind.BARS, "1m", (), NEW_YORK), frame).record
    with pytest.raises(DataRefusedError, match="fill no bar of 1h"):
        resample_data(catalogue, "US:X", "1m", "1h", None, keep_partial=False, replace=False)
    done = resample_data(catalogue, "US:X", "1m", "1h", "@UTC", keep_partial=False, replace=False)
    (step,) = done.written.record.steps
    assert (step.name, step.rows_before, step.rows_after) == ("resample", 120, 2)
    assert step.parameters == {"from": "bars-1m", "content_sha256": source.content_sha256, "keep_partial": False}
    assert catalogue.bars("US:X", "1h").equals(done.made.bars)
    again = resample_data(catalogue, "US:X", "1m", "1h", "@UTC", keep_partial=False, replace=False)
    assert not again.written.changed
