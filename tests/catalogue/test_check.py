"""Rules over bars and ticks: each finds what it is made for, and nothing in what is sound."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.check import Report, check
from tradingd.catalogue.findings import Limits, time_text
from tradingd.catalogue.sessions import days_of, parse_session
from tradingd.catalogue.shapes import SCHEMAS, Kind
from tradingd.catalogue.store import described, new_record

MINUTE, HOUR = 60 * 10**9, 3600 * 10**9
NEW_YORK = "mon-fri/09:30-16:00@America/New_York"
Row = tuple[float, float, float, float]


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


T0 = ns("2020-01-06 00:00")  # a Monday


def walk(rows: int, seed: int = 1) -> list[Row]:
    """Bars that move by about a thousandth."""
    rng = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, rows + 1)))
    return [
        (one, max(one, two) + 0.01, min(one, two) - 0.01, two)
        for one, two in zip(closes[:-1].tolist(), closes[1:].tolist(), strict=True)
    ]


def frame_of(opened: Sequence[int], rows: Sequence[Row], length: int = MINUTE) -> pl.DataFrame:
    times = {"ts_open_ns": list(opened), "ts_close_ns": [ts + length for ts in opened]}
    figures = dict(zip(("open", "high", "low", "close"), map(list, zip(*rows, strict=True)), strict=True))
    return pl.DataFrame(times | figures | {"volume": [1.0] * len(rows)}, schema=SCHEMAS[Kind.BARS])


def minutes(rows: Sequence[Row]) -> pl.DataFrame:
    return frame_of([T0 + MINUTE * n for n in range(len(rows))], rows)


def checked(
    frame: pl.DataFrame,
    timeframe: str | None = "1m",
    session: str | None = None,
    kind: Kind = Kind.BARS,
    **limits: float,
) -> Report:
    record = described(new_record("US:X", kind, timeframe, ()), frame)
    return check(record, frame, session, Limits(**limits))


def rows_of(report: Report, kind: str) -> list[int]:
    return [row for each in report.found if each.kind == kind for row in each.rows.tolist()]


def texts(report: Report, kind: str) -> list[str]:
    return [each.text for each in report.shown(None) if each.kind == kind]


def test_nothing_is_found_in_sound_bars() -> None:
    report = checked(minutes(walk(500)))
    assert (report.findings, report.notes, report.is_clean) == ({}, {}, True)


def changed(row: int, **prices: float) -> pl.DataFrame:
    frame = minutes(walk(300))
    at = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(at).then(pl.lit(price)).otherwise(name).alias(name) for name, price in prices.items()
    )


@pytest.mark.parametrize(
    ("prices", "kinds"),
    [
        ({"low": 0.01}, {"outlier": 1}),
        ({"high": 130.0}, {"outlier": 1}),
        ({"close": 130.0, "high": 130.0}, {"outlier": 1}),
        ({"high": 0.02, "low": 0.03}, {"range": 1, "outlier": 1}),
        ({"close": 0.0, "low": 0.0}, {"zero": 1}),
    ],
)
def test_one_odd_bar_is_found_where_it_is(prices: dict[str, float], kinds: dict[str, int]) -> None:
    report = checked(changed(150, **prices))
    assert report.findings == kinds
    assert {row for kind in kinds for row in rows_of(report, kind)} == {150}


def test_an_open_outside_of_its_bar_is_said_with_the_numbers() -> None:
    report = checked(changed(150, high=99.5, low=99.4, open=99.45, close=99.6))
    assert texts(report, "range") == ["close 99.6 is outside of 99.4 to 99.5"]


def test_a_price_below_zero_is_a_note() -> None:
    report = checked(changed(150, low=-40.32))
    assert (report.is_clean, report.notes) == (True, {"negative": 1})
    assert "-40.32" in texts(report, "negative")[0]


@pytest.mark.parametrize(("factor", "said"), [(7, "7"), (4.1, "4"), (2, "2"), (1.5, "3/2"), (0.1, "1/10")])
def test_a_split_is_told_with_its_ratio_and_is_no_outlier(factor: float, said: str) -> None:
    frame = minutes(walk(300)).with_columns(
        pl.when(pl.int_range(pl.len()) >= 150).then(pl.col(name) / factor).otherwise(name).alias(name)
        for name in ("open", "high", "low", "close")
    )
    report = checked(frame)
    assert report.findings == {"split": 1}
    assert rows_of(report, "split") == [150]
    assert texts(report, "split")[0].endswith(f"like a split of {said}")


def test_a_fall_that_is_no_simple_ratio_is_no_split() -> None:
    rows = walk(300)
    report = checked(minutes(rows[:150] + [tuple(price * 0.8 for price in row) for row in rows[150:]]))
    assert report.findings == {}


def test_an_open_that_comes_back_within_its_bar_is_no_split() -> None:
    report = checked(changed(150, open=50.0, low=50.0))
    assert report.findings == {"outlier": 1}


def test_stale_bars_are_one_finding_a_run() -> None:
    rows = walk(100)
    report = checked(minutes(rows[:40] + [rows[40]] * 10 + rows[50:80] + [rows[80]] * 9 + rows[89:]))
    assert rows_of(report, "stale") == [40]
    assert texts(report, "stale") == ["10 bars of the same prices"]


def test_order_duplicates_and_overlaps() -> None:
    rows = walk(6)
    opened = [T0 + MINUTE * n for n in (0, 1, 1, 3, 2, 4)]
    opened[5] -= 30 * 10**9
    report = checked(frame_of(opened, [rows[0], rows[1], rows[1], *rows[3:]]), gap_bars=9)
    assert (rows_of(report, "duplicate"), rows_of(report, "time_back")) == ([2], [4])
    assert texts(report, "duplicate") == ["a second bar of this time, the same"]
    assert texts(report, "time_back") == ["opens before the bar above it (2020-01-06 00:03)"]
    assert rows_of(report, "grid") == [5]
    overlapping = frame_of([T0, T0 + 30 * 10**9], walk(2))
    assert rows_of(checked(overlapping), "overlap") == [1]


def test_a_gap_says_how_many_bars_are_missing_and_since_when() -> None:
    frame = minutes(walk(10)).filter(~pl.int_range(pl.len()).is_in([3, 4, 7]))
    report = checked(frame)
    assert texts(report, "gap") == [
        "2 bars are missing after 2020-01-06 00:03",
        "1 bar is missing after 2020-01-06 00:07",
    ]
    assert checked(frame, gap_bars=2).findings == {"gap": 1}


def test_as_many_bars_as_a_session_has_are_a_holiday_only_where_they_are_one() -> None:
    opened = session_minutes(5)
    report = checked(frame_of(opened[:100] + opened[490:], walk(len(opened) - 390)), session=NEW_YORK)
    assert (report.findings, report.notes) == ({"gap": 1}, {})


def session_minutes(days: int, session: str = NEW_YORK, start: int = T0) -> list[int]:
    """Openings of all minutes of a session."""
    table = days_of(parse_session(session), start, start + days * 24 * HOUR).table.filter("open")
    opens = zip(table["open_ns"], table["close_ns"], strict=True)
    return [ts for opened, closed in opens for ts in range(opened, closed, MINUTE)]


def test_nights_and_weekends_are_no_gaps_with_a_session_and_a_missing_day_is_a_note() -> None:
    opened = session_minutes(12)
    rows = walk(len(opened))
    frame = frame_of(opened, rows)
    assert checked(frame, session=NEW_YORK).findings == {}
    assert checked(frame).findings["gap"] > 5
    day = [ts for ts in opened if time_text(ts).startswith("2020-01-09")]
    without_a_day = frame.filter(~pl.col("ts_open_ns").is_in(day))
    report = checked(without_a_day, session=NEW_YORK)
    assert (report.findings, report.notes) == ({}, {"gap": 1})
    without_an_hour = frame.filter(~pl.col("ts_open_ns").is_in(day[60:120]))
    assert texts(checked(without_an_hour, session=NEW_YORK), "gap") == ["60 bars are missing after 2020-01-09 15:30"]


@given(st.sets(st.integers(0, 389), max_size=20))
def test_missing_minutes_of_a_day_are_all_counted(missing: set[int]) -> None:
    """Those before the first and after the last bar can not be seen."""
    opened = session_minutes(1, start=T0 + 12 * HOUR)[390:780]
    kept = [ts for n, ts in enumerate(opened) if n not in missing]
    report = checked(frame_of(kept, walk(len(kept))), session=NEW_YORK)
    inside = sum(kept[0] < ts < kept[-1] for n, ts in enumerate(opened) if n in missing)
    assert sum(int(text.split()[0]) for text in texts(report, "gap")) == inside


def daily(dates: Sequence[str], session: str) -> pl.DataFrame:
    table = days_of(parse_session(session), ns(dates[0]), ns(dates[-1])).table
    row = table.filter(pl.col("open_date").cast(pl.String).is_in(list(dates)))
    return frame_of(row["open_ns"].to_list(), walk(len(row)), 24 * HOUR).with_columns(ts_close_ns=row["close_ns"])


WEEK = ["2020-03-05", "2020-03-06", "2020-03-09", "2020-03-10", "2020-03-11", "2020-03-12"]


def test_days_are_missed_by_weekday() -> None:
    """Over a weekend on which New York's clocks changed."""
    everyday = "mon-sun/00:00-00:00@America/New_York"
    record_of = new_record("US:X", Kind.BARS, "1d", (), everyday)

    def report(dates: Sequence[str], session: str | None = None) -> Report:
        frame = daily(dates, everyday)
        return check(described(record_of, frame), frame, session, Limits())

    assert report(WEEK).session == "mon-fri/00:00-00:00@America/New_York"
    assert (report(WEEK).findings, report(WEEK).notes) == ({}, {})
    assert report(WEEK, everyday).findings == {"gap": 1}
    assert report([*WEEK[:2], *WEEK[3:]]).notes == {"gap": 1}
    assert texts(report([*WEEK[:2], *WEEK[4:]]), "gap") == ["2 bars are missing after 2020-03-07 05:00"]
    with_a_saturday = report(["2020-03-05", "2020-03-06", "2020-03-07", *WEEK[2:]])
    assert with_a_saturday.session == everyday


def test_bars_outside_of_the_session_are_a_note_where_they_are_few() -> None:
    opened = session_minutes(12)
    few, many = (
        [opened[0] - MINUTE],
        [ts - 120 * MINUTE for ts in opened if (ts - opened[0]) % (24 * HOUR) < 30 * MINUTE],
    )
    report = checked(frame_of(few + opened, walk(len(opened) + 1)), session=NEW_YORK)
    assert (report.findings.get("outside"), report.notes.get("outside")) == (None, 1)
    report = checked(frame_of(sorted(many + opened), walk(len(opened) + len(many))), session=NEW_YORK)
    assert report.findings["outside"] == len(many)


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (-1, "one bar later they were inside: is --stamp close wrong?"),
        (1, "one bar earlier they were inside: is --stamp open wrong?"),
    ],
)
def test_the_wrong_end_of_the_bar_is_suspected(shift: int, said: str) -> None:
    opened = [ts + shift * MINUTE for ts in session_minutes(12)]
    report = checked(frame_of(opened, walk(len(opened))), session=NEW_YORK)
    assert report.findings["outside"] > 5
    assert all(said in text for text in texts(report, "outside"))


def test_one_early_bar_is_no_reason_to_doubt_the_stamp() -> None:
    opened = session_minutes(12)
    report = checked(frame_of([opened[0] - MINUTE, *opened[:-400]], walk(len(opened) - 399)), session=NEW_YORK)
    assert texts(report, "outside") == ["outside of the session, as are 0.0% of the bars"]


def test_of_each_kind_the_first_ones_are_shown() -> None:
    rows = [(9.0, 2.0, 1.0, 9.0)] * 5
    report = checked(minutes(rows))
    assert report.findings["range"] == 10
    assert [len([each for each in report.shown(limit) if each.kind == "range"]) for limit in (3, 7, None)] == [3, 7, 10]


def test_a_wrong_zone_shows_in_the_hours_at_which_days_begin() -> None:
    """New York's times read as if they were those of a place without daylight saving."""
    opened = session_minutes(40, "mon-fri/14:30-21:00@UTC", ns("2020-02-10"))
    report = checked(frame_of(opened, walk(len(opened))), session=NEW_YORK)
    begins = texts(report, "hours")
    assert len(begins) > 5
    assert "the day begins at 10:30 America/New_York, most begin at 09:30" in begins[0]
    sound = session_minutes(40, NEW_YORK, ns("2020-02-10"))
    assert "hours" not in checked(frame_of(sound, walk(len(sound))), session=NEW_YORK).findings
    assert checked(frame_of(sound, walk(len(sound))), gap_bars=10_000).notes.keys() == {"hours"}


def test_a_wrong_timeframe_shows_as_overlaps() -> None:
    opened = [T0 + MINUTE * n for n in range(50)]
    assert checked(frame_of(opened, walk(50), HOUR), "1h").findings["overlap"] == 49


def trades(*prices: float, step: Callable[[int], int] = lambda n: n) -> pl.DataFrame:
    at = [T0 + step(n) * 10**6 for n in range(len(prices))]
    columns = {"ts_event_ns": at, "ts_received_ns": at, "price": prices, "size": [1.0] * len(prices), "flags": 0}
    return pl.DataFrame(columns, schema=SCHEMAS[Kind.TRADES])


def test_trades_that_are_sound_have_notes_at_most() -> None:
    report = checked(trades(*[100 + n % 7 / 100 for n in range(300)]), None, kind=Kind.TRADES)
    assert (report.findings, report.notes) == ({}, {})
    report = checked(trades(*[100.0] * 3, step=lambda _: 0), None, kind=Kind.TRADES)
    assert (report.findings, report.notes) == ({}, {"duplicate": 2})


def test_an_odd_trade_a_zero_and_time_that_goes_back() -> None:
    prices = [100 + n % 7 / 100 for n in range(300)]
    prices[100], prices[200] = 130.0, 0.0
    report = checked(trades(*prices, step=lambda n: n if n != 50 else 40), None, kind=Kind.TRADES)
    assert [(kind, rows_of(report, kind)) for kind in report.findings] == [
        ("time_back", [50]), ("zero", [200]), ("outlier", [100])
    ]  # fmt: skip


def test_crossed_quotes_are_a_note_and_an_odd_side_is_found_among_its_own() -> None:
    rows = 300
    bids = [100 + n % 5 / 100 if n % 2 else None for n in range(rows)]
    asks = [100.1 + n % 5 / 100 if n % 2 == 0 else None for n in range(rows)]
    bids[101] = 50.0
    bids[200], asks[200] = 100.5, 100.2
    at = [T0 + n for n in range(rows)]
    columns = {
        "ts_event_ns": at,
        "ts_received_ns": at,
        "bid": bids,
        "bid_size": None,
        "ask": asks,
        "ask_size": None,
        "flags": 0,
    }
    report = checked(pl.DataFrame(columns, schema=SCHEMAS[Kind.QUOTES]), None, kind=Kind.QUOTES)
    assert (report.findings, report.notes) == ({"outlier": 1}, {"crossed": 1})
    assert (rows_of(report, "outlier"), rows_of(report, "crossed")) == ([101], [200])


def test_closes_alone_are_checked_too() -> None:
    frame = minutes(walk(300)).with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("open", "high", "low"))
    assert checked(frame).findings == {}
    odd = frame.with_columns(close=pl.when(pl.int_range(pl.len()) == 9).then(1.0).otherwise("close"))
    assert rows_of(checked(odd), "outlier") == [9]


@pytest.mark.parametrize("rows", [1, 2])
def test_next_to_nothing_is_checked_without_complaint(rows: int) -> None:
    assert checked(minutes(walk(rows)), session="@UTC").findings == {}
    assert checked(trades(*[100.0] * rows), None, kind=Kind.TRADES).findings == {}
