"""Contracts as one series: which bars, how far the older ones are shifted, and what is written about it."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.importing import Imported
from tradingd.catalogue.roll import DIFFERENCE, NONE, RATIO, Adjust, Pair, shifted, shifts
from tradingd.catalogue.roll_rules import Rule
from tradingd.catalogue.rolling import Done, roll_data
from tradingd.catalogue.shapes import PRICES, SCHEMAS, Kind
from tradingd.catalogue.store import Catalogue, new_record

HOUR, DAY = 3600 * 10**9, 24 * 3600 * 10**9
UTC_DAYS = "@UTC"
CHICAGO = "mon-fri,sun/17:00-17:00@America/Chicago"
Row = tuple[float, float, float | None]  # hours since T0, price, volume
Put = Callable[..., None]


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


T0 = ns("2020-01-06 00:00")


def day(number: int) -> date:
    return date(2020, 1, 6 + number)


def bars(*rows: Row) -> pl.DataFrame:
    opened = [T0 + int(hours * HOUR) for hours, _, _ in rows]
    prices = {name: [price for _, price, _ in rows] for name in PRICES}
    times = {"ts_open_ns": opened, "ts_close_ns": [ts + HOUR for ts in opened]}
    return pl.DataFrame(times | prices | {"volume": [volume for *_, volume in rows]}, schema=SCHEMAS[Kind.BARS])


@pytest.fixture
def put(catalogue: Catalogue) -> Put:
    def put(symbol: str, *rows: Row, session: str | None = UTC_DAYS) -> None:
        catalogue.write(new_record(f"X:{symbol}", Kind.BARS, "1h", (), session), bars(*rows), over=True)

    return put


@pytest.fixture
def roll(catalogue: Catalogue) -> Callable[..., Done]:
    def roll(*symbols: str, adjust: Adjust = NONE, session: str | None = None, **when: Any) -> Done:
        names = [f"X:{symbol}" for symbol in symbols]
        return roll_data(catalogue, names, "1h", "X:ALL", Rule(**when), adjust, session, replace=True)

    return roll


def closes(catalogue: Catalogue) -> list[float]:
    found: list[float] = catalogue.bars("X:ALL", "1h")["close"].to_list()
    return found


def test_bars_from_a_date_on_are_the_next_contracts(catalogue: Catalogue, put: Put, roll: Callable[..., Done]) -> None:
    put("A", (0, 10, 1), (23, 11, 1), (24, 12, 1))
    put("B", (0, 20, 1), (23, 21, 1), (24, 22, 1), (48, 23, 1))
    put("C", (47, 30, 1), (48, 31, 1), (49, 32, 1))
    done = roll("A", "B", "C", dates=[day(1), day(2)])
    assert closes(catalogue) == [10, 11, 22, 31, 32]
    assert [(each.old, each.new, each.at_ns) for each in done.rolls] == [
        ("X:A", "X:B", T0 + DAY),
        ("X:B", "X:C", T0 + 2 * DAY),
    ]
    assert done.shifts == [0.0, 0.0, 0.0]


def test_older_contracts_come_to_the_prices_of_the_newest(
    catalogue: Catalogue, put: Put, roll: Callable[..., Done]
) -> None:
    """By hand: B is 2 above A at the first roll, C 5 below B at the second."""
    put("A", (0, 100, 7), (23, 102, 7))
    put("B", (23, 104, 1), (24, 105, 8), (47, 110, 8))
    put("C", (47, 105, 1), (48, 106, 9))
    done = roll("A", "B", "C", dates=[day(1), day(2)], adjust=DIFFERENCE)
    assert (closes(catalogue), done.shifts) == ([97, 99, 100, 105, 106], [-3, -5, 0])
    assert catalogue.bars("X:ALL", "1h")["volume"].to_list() == [7, 7, 8, 8, 9]
    done = roll("A", "B", "C", dates=[day(1), day(2)], adjust=RATIO)
    assert done.shifts == pytest.approx([104 / 102 * 105 / 110, 105 / 110, 1])
    assert closes(catalogue)[-3:] == pytest.approx([105 * 105 / 110, 105, 106])


def test_the_record_says_how_to_make_it_again(catalogue: Catalogue, put: Put, roll: Callable[..., Done]) -> None:
    put("A", (0, 100, 7), (22, 101, 7), (23, 102, 7))
    put("B", (22, 104, 1), (25, 105, 8))
    record = roll("A", "B", dates=[day(1)], adjust=DIFFERENCE).written.record
    (step,) = record.steps
    assert (step.name, step.rows_before, step.rows_after) == ("roll", 5, 4)
    assert {name: step.parameters[name] for name in ("adjust", "at")} == {"adjust": "difference", "at": ["2020-01-07"]}
    digests = [catalogue.record(name, "1h").content_sha256 for name in ("X:A", "X:B")]
    assert [(each["content_sha256"], each["rows"], each["shift"]) for each in step.parameters["contracts"]] == [
        (digests[0], 3, 3.0),
        (digests[1], 1, 0.0),
    ]
    assert step.parameters["rolls"] == [
        {
            "at_ns": T0 + DAY,
            "old": "X:A",
            "new": "X:B",
            "old_last_ns": T0 + DAY,
            "new_first_ns": T0 + 25 * HOUR,
            "sessions_missed": 0,
            "pair_ts_ns": T0 + 23 * HOUR,
            "old_close": 101.0,
            "new_close": 104.0,
            "difference": 3.0,
            "ratio": 104 / 101,
        }
    ]
    assert catalogue.record("X:ALL", "1h") == record
    again = roll("A", "B", dates=[day(1)], adjust=DIFFERENCE)
    assert (again.written.changed, again.written.record.content_sha256) == (False, record.content_sha256)


def test_volume_rolls_on_the_day_after_it_is_known(catalogue: Catalogue, put: Put, roll: Callable[..., Done]) -> None:
    """B is ahead on day 1 alone, then on days 3 and 4: two in a row are known when day 4 ends."""
    put("A", *[(24 * n, 10 + n, volume) for n, volume in enumerate((9, 1, 9, 3, 2, 1))])
    put("B", *[(24 * n, 20 + n, volume) for n, volume in enumerate((1, 5, 5, 5, 6, 7))])
    assert [each.at_ns for each in roll("A", "B", volume_days=1).rolls] == [T0 + 2 * DAY]
    assert [each.at_ns for each in roll("A", "B", volume_days=2).rolls] == [T0 + 5 * DAY]
    assert closes(catalogue) == [10, 11, 12, 13, 14, 25]
    with pytest.raises(CatalogueError, match="X:B is never traded more than X:A on 3 days in a row with a day after"):
        roll("A", "B", volume_days=3)


def test_a_day_of_futures_begins_on_the_evening_before(
    catalogue: Catalogue, put: Put, roll: Callable[..., Done]
) -> None:
    """17:00 in Chicago is 23:00 in UTC in winter."""
    put("A", (22, 10, 1), (23, 11, 1), session=CHICAGO)
    put("B", (22, 20, 1), (23, 21, 1), session=CHICAGO)
    assert roll("A", "B", dates=[day(0)], adjust=DIFFERENCE).shifts == [10, 0]
    assert closes(catalogue) == [20, 21]


def test_sessions_without_a_bar_are_told_and_no_bar_is_made(
    catalogue: Catalogue, put: Put, roll: Callable[..., Done]
) -> None:
    put("A", (0, 10, 1))
    put("B", (24 * 4 + 5, 20, 1))
    (rolled,) = roll("A", "B", dates=[day(2)]).rolls
    assert (rolled.sessions_missed, closes(catalogue)) == (3, [10, 20])


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("name two contracts or more, the oldest first", {"symbols": ["A"], "dates": [day(1)]}),
    ("each contract is named once", {"symbols": ["A", "A"], "dates": [day(1)]}),
    ("--into names none of them", {"symbols": ["A", "ALL"], "dates": [day(1)]}),
    ("say when to roll: --at DATE for each roll, or --volume-days N", {}),
    ("say when to roll", {"dates": [day(1)], "volume_days": 1}),
    ("2 contracts roll 1 times; say --at so often", {"dates": [day(1), day(2)]}),
    ("the dates do not follow each other", {"symbols": ["A", "B", "C"], "dates": [day(2), day(1)]}),
    ("X:B has no bars from 2020-01-16 00:00 on; roll at other dates", {"dates": [day(10)]}),
    ("X:A has no bars until 2020-01-06 00:00; roll at other dates", {"dates": [day(0)]}),
    ("X:A has a price of -1 at 2020-01-06 00:00, and ratios need prices above 0", {"dates": [day(1)], "adjust": RATIO}),
    ("X:C and X:A have no bar in common before", {"symbols": ["C", "A"], "dates": [day(1)], "adjust": DIFFERENCE}),
    (
        r"X:OLD and X:B have their last bar in common at 2020-01-06 23:00, a day .* \(2020-01-07 02:00\); roll earlier",
        {"symbols": ["OLD", "B"], "dates": [day(2)], "adjust": DIFFERENCE},
    ),
    ("the instruments have several sessions", {"symbols": ["A", "CME"], "dates": [day(1)]}),
    ("a date needs a session", {"symbols": ["BARE", "BARE2"], "dates": [day(1)]}),
    ("X:C has no volume; say when to roll with --at", {"symbols": ["A", "C"], "volume_days": 1}),
    ("X:MESS bars-1h: row 1 .* does not follow the one before it", {"symbols": ["A", "MESS"], "dates": [day(1)]}),
]


@pytest.mark.parametrize(("said", "asked"), WRONG, ids=[said for said, _ in WRONG])
def test_what_makes_no_series_is_one_line_and_changes_nothing(
    catalogue: Catalogue, put: Put, roll: Callable[..., Done], said: str, asked: dict[str, Any]
) -> None:
    put("A", (0, -1, 1), (23, 11, 1), (24, 11, 1))
    put("B", (0, 20, 1), (23, 21, 1), (48, 22, 1))
    put("C", (5, 5, None), (30, 5, None))
    put("OLD", (23, 1, 1), (26, 1, 1))
    put("MESS", (24, 1, 1), (23, 1, 1))
    put("CME", (0, 20, 1), (24, 21, 1), session=CHICAGO)
    for symbol in ("BARE", "BARE2"):
        put(symbol, (0, 20, 1), (24, 21, 1), session=None)
    before = catalogue.records()
    with pytest.raises(CatalogueError, match=said):
        roll(*asked.pop("symbols", ["A", "B"]), **asked)
    assert catalogue.records() == before


def test_ticks_do_not_roll(catalogue: Catalogue) -> None:
    frame = pl.DataFrame([(1, 1, 1.0, 1.0, 0)], schema=SCHEMAS[Kind.TRADES], orient="row")
    for symbol in ("A", "B"):
        catalogue.write(new_record(f"X:{symbol}", Kind.TRADES, None, (), UTC_DAYS), frame)
    with pytest.raises(CatalogueError, match="trades do not roll, bars do"):
        roll_data(catalogue, ["X:A", "X:B"], "trades", "X:ALL", Rule([day(1)]), NONE, None, replace=False)


# --- properties -------------------------------------------------------------------------------------------------------

prices = st.integers(1, 10**7).map(lambda ticks: ticks / 4)  # on a tick of 0.25 sums are exact
chains = st.lists(st.tuples(prices, prices).map(lambda closes: Pair(0, *closes)), min_size=1, max_size=5)
series = st.lists(prices, min_size=2, max_size=20)


def frame_of(values: Sequence[float]) -> pl.DataFrame:
    return bars(*[(n, value, 1) for n, value in enumerate(values)])


@given(chains, series)
def test_differences_within_a_contract_stay(found: list[Pair], values: list[float]) -> None:
    frame = frame_of(values)
    for shift in shifts(found, DIFFERENCE):
        moved = shifted(frame, shift, DIFFERENCE)
        assert moved.select(PRICES).to_series().diff().to_list() == frame["open"].diff().to_list()
        assert moved.drop(PRICES).equals(frame.drop(PRICES))


@given(chains, series)
def test_ratios_within_a_contract_stay(found: list[Pair], values: list[float]) -> None:
    frame = frame_of(values)
    for shift in shifts(found, RATIO):
        moved = shifted(frame, shift, RATIO)["close"].to_numpy()
        np.testing.assert_allclose(moved[1:] / moved[:-1], np.array(values[1:]) / np.array(values[:-1]), rtol=1e-14)


@given(st.lists(prices, min_size=1, max_size=5), series, st.sampled_from([DIFFERENCE, RATIO]))
def test_no_gap_is_no_shift(closed: list[float], values: list[float], adjust: Adjust) -> None:
    found = [Pair(0, close, close) for close in closed]
    frame = frame_of(values)
    assert all(shifted(frame, shift, adjust).equals(frame) for shift in shifts(found, adjust))


@given(chains)
def test_at_each_roll_both_contracts_stand_at_one_price(found: list[Pair]) -> None:
    by = shifts(found, DIFFERENCE)
    assert all(pair.old + by[n] == pair.new + by[n + 1] for n, pair in enumerate(found))
    times = shifts(found, RATIO)
    assert all(pair.old * times[n] == pytest.approx(pair.new * times[n + 1]) for n, pair in enumerate(found))
    assert (by[-1], times[-1]) == (0, 1)


# --- recorded contracts -----------------------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("adjust", [NONE, DIFFERENCE, RATIO])
def test_the_december_roll_of_the_sp_future(
    realdata: Path, bring: Callable[..., Imported], catalogue: Catalogue, adjust: Adjust
) -> None:
    """ESZ3 to ESH4, against the same made of the file by hand: both last traded together at 22:14 UTC on the 18th."""
    file, names = realdata / "bars/cme_es_1m.csv.gz", ("ES201312", "ES201403")
    for symbol in names:
        bring(
            file, instrument=f"CME:{symbol}", format="csv", timeframe="1m", stamp="open", timezone="UTC",
            ts_format="ms", columns={"ts": "ts_ms"}, where=("symbol", symbol), session=CHICAGO,
        )  # fmt: skip
    instruments = [f"CME:{symbol}" for symbol in names]
    done = roll_data(catalogue, instruments, "1m", "CME:ES", Rule(volume_days=1), adjust, None, replace=False)
    border = ns("2013-12-18 23:00")
    raw = pl.read_csv(file).with_columns(ts=pl.col("ts_ms") * 1_000_000)
    old = raw.filter((pl.col("symbol") == names[0]) & (pl.col("ts") < border))
    new = raw.filter((pl.col("symbol") == names[1]) & (pl.col("ts") >= border))
    pair = old.join(raw.filter(pl.col("symbol") == names[1]), on="ts").sort("ts").tail(1)
    assert pair.select("ts", "close", "close_right").row(0) == (ns("2013-12-18 22:14"), 1810.25, 1804.0)
    change = {NONE: pl.col("close"), DIFFERENCE: pl.col("close") - 6.25, RATIO: pl.col("close") * (1804 / 1810.25)}
    found = catalogue.bars("CME:ES", "1m")
    assert [each.at_ns for each in done.rolls] == [border]
    assert found["ts_open_ns"].to_list() == [*old["ts"], *new["ts"]]
    assert found["close"].to_list() == [*old.select(change[adjust])["close"], *new["close"]]
    assert found["volume"].to_list() == [*old["volume"], *new["volume"]]


@pytest.mark.realdata
def test_prices_below_zero_roll_by_difference_and_not_by_ratio(
    realdata: Path, bring: Callable[..., Imported], catalogue: Catalogue
) -> None:
    """Crude oil of April 2020 as both contracts, the second one 3 dollars dearer."""
    columns = {"ts": "Dates", "open": "PX_OPEN", "high": "PX_HIGH", "low": "PX_LOW", "close": "PX_LAST"}
    done = bring(
        realdata / "bars/arblab_cl.csv.gz", instrument="NYMEX:A", format="csv", timeframe="1d", stamp="open",
        timezone="America/New_York", ts_format="%m/%d/%Y", columns=columns,
    )  # fmt: skip
    frame = catalogue.read(done.record)
    dearer = frame.with_columns(pl.col(PRICES) + 3)
    catalogue.write(new_record("NYMEX:B", Kind.BARS, "1d", (), done.record.session), dearer)
    rule, names = Rule([date(2020, 4, 22)]), ["NYMEX:A", "NYMEX:B"]
    with pytest.raises(CatalogueError, match=r"NYMEX:A has a price of -\S+ at 2020-04-20 .* --adjust difference"):
        roll_data(catalogue, names, "1d", "NYMEX:CL", rule, RATIO, None, replace=False)
    roll_data(catalogue, names, "1d", "NYMEX:CL", rule, DIFFERENCE, None, replace=False)
    np.testing.assert_allclose(catalogue.bars("NYMEX:CL", "1d")["close"], dearer["close"], rtol=0, atol=1e-12)
