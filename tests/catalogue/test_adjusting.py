"""Splits and dividends taken out: by hand, in general, and of Apple."""

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.adjust import Dividend, Split, adjusted
from tradingd.catalogue.adjusting import Adjusted, adjust_data, parse_dividend, parse_split, splits_found
from tradingd.catalogue.check import check
from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.findings import Limits
from tradingd.catalogue.importing import Imported
from tradingd.catalogue.records import Record
from tradingd.catalogue.resampling import resample_data
from tradingd.catalogue.sessions import parse_session
from tradingd.catalogue.shapes import PRICES, SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record
from tradingd.catalogue.trading_days import day_start_ns

NEW_YORK = "mon-fri/09:30-16:00@America/New_York"
HOUR = 3600 * 10**9
Row = tuple[date, float, float]  # day, price, volume
Put = Callable[..., Record]
FEB = [date(2024, 2, day) for day in range(1, 29)]


def bars(*rows: Row, at: float = 9.5) -> pl.DataFrame:
    """Of an hour, `at` hours after midnight in New York."""
    midnight = [day_start_ns(parse_session(NEW_YORK), day) for day, _, _ in rows]
    opened = [ts + int(at * HOUR) for ts in midnight]
    times = {"ts_open_ns": opened, "ts_close_ns": [ts + HOUR for ts in opened]}
    prices = {name: [price for _, price, _ in rows] for name in PRICES}
    return pl.DataFrame(times | prices | {"volume": [volume for *_, volume in rows]}, schema=SCHEMAS[Kind.BARS])


@pytest.fixture
def put(catalogue: Catalogue) -> Put:
    def put(*rows: Row, at: float = 9.5, session: str | None = NEW_YORK) -> Record:
        return catalogue.write(new_record("US:X", Kind.BARS, "1h", (), session), bars(*rows, at=at), over=True).record

    return put


def closes(catalogue: Catalogue) -> list[float]:
    found: list[float] = catalogue.bars("US:X", "1h")["close"].to_list()
    return found


def test_the_example_of_yahoo(catalogue: Catalogue, put: Put) -> None:
    """https://sg.help.yahoo.com/kb/finance-for-desktop/adjusted-close-sln28256.html, with its rounded factor."""
    prices = [(15, 46.99), (16, 48.30), (17, 24.96), (18, 24.91), (19, 24.95), (20, 24.53), (21, 24.54)]
    record = put(*[(FEB[day], price, 100) for day, price in prices])
    done = adjust_data(catalogue, record, [Split(FEB[17], Fraction(2))], [Dividend(FEB[20], 0.08)], None)
    assert [round(close, 2) for close in closes(catalogue)] == [23.42, 24.07, 24.88, 24.83, 24.87, 24.53, 24.54]
    assert catalogue.bars("US:X", "1h")["volume"].to_list() == [200, 200, 100, 100, 100, 100, 100]
    assert [(each.day, each.split, each.dividend, each.rows) for each in done.applied] == [
        ("2024-02-18", "2", None, 2),
        ("2024-02-21", None, 0.08, 5),
    ]
    assert done.applied[1].factor == 1 - 0.08 / 24.95


def test_the_record_says_what_was_done_and_the_former_file_is_kept(catalogue: Catalogue, put: Put) -> None:
    record = put((FEB[0], 30, 1), (FEB[1], 10, 3))
    done = adjust_data(catalogue, record, [Split(FEB[1], Fraction(3))], [], None)
    (step,) = done.record.steps
    assert (step.name, step.parameters["content_sha256"]) == ("adjust", record.content_sha256)
    assert step.parameters["events"] == [
        {
            "day": "2024-02-02",
            "split": "3",
            "dividend": None,
            "previous_close": 30.0,
            "first_price": 10.0,
            "factor": 1 / 3,
            "rows": 1,
        }
    ]
    assert pl.read_parquet(done.kept)["close"].to_list() == [30, 10]
    assert catalogue.record("US:X", "1h") == done.record


def test_a_reverse_split_and_one_of_three_for_two(catalogue: Catalogue, put: Put) -> None:
    record = put((FEB[0], 1, 100), (FEB[1], 10, 10), (FEB[2], 6.6, 15))
    adjust_data(catalogue, record, [Split(FEB[2], Fraction(3, 2)), Split(FEB[1], Fraction(1, 10))], [], None)
    assert closes(catalogue) == [20 / 3, 20 / 3, 6.6]
    assert catalogue.bars("US:X", "1h")["volume"].to_list() == [15, 15, 15]


def test_a_dividend_on_the_day_of_a_split_is_per_new_share(catalogue: Catalogue, put: Put) -> None:
    record = put((FEB[0], 20, 1), (FEB[1], 9, 1))
    done = adjust_data(catalogue, record, [Split(FEB[1], Fraction(2))], [Dividend(FEB[1], 1.0)], None)
    assert [each.factor for each in done.applied] == [0.5, 0.9]
    assert closes(catalogue) == [9, 9]


def test_the_hours_before_the_session_are_of_the_day(catalogue: Catalogue, put: Put) -> None:
    record = put((FEB[0], 30, 1), (FEB[1], 10, 1), at=4)
    adjust_data(catalogue, record, [Split(FEB[1], Fraction(3))], [], None)
    assert closes(catalogue) == [10, 10]


def split(day: date, ratio: int | Fraction = 2) -> dict[str, Any]:
    return {"splits": [Split(day, Fraction(ratio))]}


def dividend(day: date, amount: float) -> dict[str, Any]:
    return {"dividends": [Dividend(day, amount)]}


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("say what to adjust for: --split", {}),
    ("there is no bar before 2024-02-01", split(FEB[0])),
    ("there is no bar on 2024-02-03", split(FEB[2])),
    ("there is no bar on 2024-02-20", split(FEB[19])),
    ("no split of 2 is in the prices of 2024-02-02: 20 then 20.5; they may be adjusted", split(FEB[1])),
    ("no split of 1/2 is in the prices of 2024-02-05: 20 then 10", split(FEB[4], Fraction(1, 2))),
    ("a dividend of 20 on 2024-02-02 is not between 0 and the close before it, 20;", dividend(FEB[1], 20)),
    ("a dividend of -1 on 2024-02-02 is not between", dividend(FEB[1], -1)),
    ("a dividend of nan on 2024-02-02 is not between", dividend(FEB[1], float("nan"))),
    ("2024-02-05 is named twice", {"splits": [Split(FEB[4], Fraction(2)), Split(FEB[4], Fraction(3))]}),
]


@pytest.mark.parametrize(("said", "events"), WRONG, ids=[said for said, _ in WRONG])
def test_what_can_not_be_is_one_line_and_changes_nothing(
    catalogue: Catalogue, put: Put, said: str, events: dict[str, Any]
) -> None:
    record = put((FEB[0], 20, 1), (FEB[1], 20.5, 1), (FEB[3], 20, 1), (FEB[4], 10, 2))
    with pytest.raises(CatalogueError, match=said):
        adjust_data(catalogue, record, events.get("splits", []), events.get("dividends", []), None)
    assert (catalogue.records(), len(list(catalogue.folder.glob("*/*.parquet")))) == ([record], 1)


def test_data_is_adjusted_once(catalogue: Catalogue, put: Put) -> None:
    record = put((FEB[0], 30, 1), (FEB[1], 10, 3), (FEB[2], 5, 6))
    done = adjust_data(catalogue, record, [Split(FEB[1], Fraction(3))], [], None)
    with pytest.raises(CatalogueError, match="US:X bars-1h is adjusted already; import it again with --replace"):
        adjust_data(catalogue, done.record, [Split(FEB[2], Fraction(2))], [], None)
    longer = resample_data(catalogue, "US:X", "1h", "4h", None, keep_partial=True, replace=False).written.record
    with pytest.raises(CatalogueError, match="US:X bars-4h is adjusted already"):
        adjust_data(catalogue, longer, [Split(FEB[2], Fraction(2))], [], None)


def test_days_are_somebodys_and_ticks_have_none(catalogue: Catalogue, put: Put) -> None:
    record = put((FEB[0], 30, 1), (FEB[1], 10, 3), session=None)
    events = [Split(FEB[1], Fraction(3))]
    with pytest.raises(CatalogueError, match="a date needs a session: --session mon-fri"):
        adjust_data(catalogue, record, events, [], None)
    assert adjust_data(catalogue, record, events, [], NEW_YORK).applied[0].rows == 1
    frame = pl.DataFrame([(1, 1, 1.0, 1.0, 0)], schema=SCHEMAS[Kind.TRADES], orient="row")
    ticks = catalogue.write(new_record("US:X", Kind.TRADES, None, ()), frame).record
    with pytest.raises(CatalogueError, match="trades are not adjusted, bars are"):
        adjust_data(catalogue, ticks, events, [], None)


@pytest.mark.parametrize(
    ("text", "ratio"), [("7", 7), ("7:1", 7), ("3:2", Fraction(3, 2)), ("3/2", Fraction(3, 2)), ("1:8", Fraction(1, 8))]
)
def test_a_ratio_is_new_shares_for_old_ones(text: str, ratio: Fraction) -> None:
    assert parse_split("2014-06-09", text) == Split(date(2014, 6, 9), Fraction(ratio))


@pytest.mark.parametrize("text", ["", "0", "1", "-2", "a", "2:0", "1:1", "inf"])
def test_what_is_no_ratio(text: str) -> None:
    with pytest.raises(CatalogueError, match="is no ratio of a split; write new shares for old ones"):
        parse_split("2014-06-09", text)


def test_what_is_no_date_and_no_amount() -> None:
    with pytest.raises(CatalogueError, match=r"'9\.6\.2014' is no date; write it as 2014-06-09"):
        parse_split("9.6.2014", "7")
    with pytest.raises(CatalogueError, match="'much' is no amount of a dividend"):
        parse_dividend("2014-06-09", "much")


# --- properties -------------------------------------------------------------------------------------------------------

ratios = st.fractions(Fraction(1, 10), 10, max_denominator=10).filter(lambda ratio: ratio != 1)
paid = st.floats(0.5, 0.999)


@given(st.lists(st.tuples(st.integers(0, 10), ratios), max_size=4), st.lists(st.tuples(st.integers(0, 10), paid)))
def test_returns_within_a_stretch_stay_and_the_newest_rows_too(
    splits: list[tuple[int, Fraction]], dividends: list[tuple[int, float]]
) -> None:
    rows: list[Row] = [(FEB[n], 10 + n * 7 % 5, 100 + n) for n in range(10)]
    frame = bars(*rows)
    found = adjusted(frame, splits, dividends)
    borders = {row for row, _ in [*splits, *dividends]}
    last = max(borders, default=0)
    assert found[last:].equals(frame[last:])
    before, after = frame["close"].to_numpy(), found["close"].to_numpy()
    for row in range(1, 10):
        if row not in borders:
            assert after[row] / after[row - 1] == pytest.approx(before[row] / before[row - 1])
    if not dividends:
        worth = found["close"].to_numpy() * found["volume"].to_numpy()
        np.testing.assert_allclose(worth, before * frame["volume"].to_numpy())


# --- Apple ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def apple(realdata: Path, bring: Callable[..., Imported]) -> Record:
    return bring(
        realdata / "bars/us_equities_daily_raw_1998_2021.csv.gz", instrument="US:AAPL", format="csv", timeframe="1d",
        stamp="open", columns={"ts": "bar_start_new_york"}, where=("symbol", "AAPL"), session=NEW_YORK,
    ).record  # fmt: skip


def splits_in(catalogue: Catalogue, record: Record) -> int:
    return check(record, catalogue.read(record), None, Limits()).findings.get("split", 0)


def adjust_apple(catalogue: Catalogue, record: Record) -> Adjusted:
    return adjust_data(catalogue, record, splits_found(catalogue, record, None, Limits()), [], None)


@pytest.mark.realdata
def test_no_jump_is_left_of_the_splits_of_apple(catalogue: Catalogue, apple: Record) -> None:
    raw = catalogue.read(apple)
    assert splits_in(catalogue, apple) == 4
    done = adjust_apple(catalogue, apple)
    assert [(each.day, each.split) for each in done.applied] == [
        ("2000-06-21", "2"), ("2005-02-28", "2"), ("2014-06-09", "7"), ("2020-08-31", "4"),
    ]  # fmt: skip
    found = catalogue.read(done.record)
    assert splits_in(catalogue, done.record) == 0
    last = done.applied[-1].rows
    assert found[last:].equals(raw[last:])
    rows = [each.rows for each in done.applied]
    moves = (found["open"] / found["close"].shift() - 1).to_numpy()[rows]
    assert np.abs(moves).max() < 0.03


@pytest.mark.realdata
def test_the_closes_of_apple_against_those_worked_out_by_hand(catalogue: Catalogue, apple: Record) -> None:
    """Days on both sides of each split, as the tape had them, over the splits since."""
    found = catalogue.read(adjust_apple(catalogue, apple).record)
    day = pl.from_epoch("ts_open_ns", time_unit="ns").dt.date()
    close = dict(found.select(day, "close").iter_rows())
    assert close[date(2020, 8, 28)] == 499.23 / 4
    assert close[date(2014, 6, 6)] == 645.57 / 28
    assert close[date(2005, 2, 25)] == 88.97 / 56
    assert close[date(2000, 6, 20)] == 101 / 112


DIVIDENDS = (
    "2014-08-07=.47 2014-11-06=.47 2015-02-05=.47 2015-05-07=.52 2015-08-06=.52 2015-11-05=.52 2016-02-04=.52 "
    "2016-05-05=.57 2016-08-04=.57 2016-11-03=.57 2017-02-09=.57 2017-05-11=.63 2017-08-10=.63 2017-11-10=.63 "
    "2018-02-09=.63"
)


@pytest.mark.realdata
def test_closes_of_apple_are_those_that_others_adjusted(realdata: Path, catalogue: Catalogue, apple: Record) -> None:
    """PyPortfolioOpt's panel, adjusted by another vendor, from the split of 2014 to its end before that of 2020.

    Before 2014 it is off: there the dividends were taken out of split prices as if they had been paid on these.
    """
    paid = [parse_dividend(*event.split("=")) for event in DIVIDENDS.split()]
    adjust_data(catalogue, apple, [parse_split("2014-06-09", "7")], paid, None)
    day = pl.from_epoch("ts_open_ns", time_unit="ns").dt.date().cast(pl.String).alias("date")
    ours = catalogue.bars("US:AAPL", "1d").select(day, "close")
    panel = pl.read_csv(realdata / "bars/pypfopt_20stocks_daily_1989_2018.csv.gz", infer_schema_length=None)
    both = ours.join(panel.select(pl.col("date").str.head(10), "AAPL"), on="date").filter(pl.col("date") > "2014-06-08")
    off = (both["close"] / both["AAPL"] - 1).abs()
    assert (len(both), both["date"].max()) == (968, "2018-04-11")
    assert off.max() < 1e-3  # days of which the vendors' closes differ
    assert off.median() < 1e-6


@pytest.mark.realdata
def test_what_was_adjusted_by_others_is_not_adjusted_again(
    realdata: Path, catalogue: Catalogue, bring: Callable[..., Imported]
) -> None:
    """PyPortfolioOpt's panel has Apple's closes adjusted; what is found there is a crash."""
    record = bring(
        realdata / "bars/pypfopt_20stocks_daily_1989_2018.csv.gz", instrument="US:AAPL", format="csv", timeframe="1d",
        stamp="open", timezone="America/New_York", columns={"ts": "date", "close": "AAPL"}, blanks=True,
    ).record  # fmt: skip
    assert splits_found(catalogue, record, None, Limits()) == [Split(date(2000, 9, 29), Fraction(2))]
    with pytest.raises(CatalogueError, match="no split of 7 is in the prices of 2014-06-09"):
        adjust_data(catalogue, record, [Split(date(2014, 6, 9), Fraction(7))], [], None)
