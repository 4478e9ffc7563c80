"""Times as files write them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.stamps import check_ts_format, local_dates, read_stamps, utc_ns

NEW_YORK = "America/New_York"
NOON_NS = int(datetime(2020, 1, 2, 12, tzinfo=UTC).timestamp()) * 10**9


def read(*cells: str | None, form: str = "iso", zone: str | None = "UTC") -> list[int | None]:
    return utc_ns(read_stamps(pl.Series("ts", cells, pl.String), form), zone).to_list()


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-02 12:00:00",
        "2020-01-02 12:00",
        "2020-01-02T12:00:00",
        "20200102 12:00:00",
        "20200102 12:00",
        " 2020-01-02 12:00 ",
        "2020-01-02T12:00:00Z",
        "2020-01-02 12:00:00 UTC",
        "2020-01-02T07:00:00-05:00",
        "2020-01-02 07:00-0500",
        "2020-01-02 12:00:00.000000000+00:00",
    ],
)
def test_iso_in_its_spellings(text: str) -> None:
    assert read(text) == [NOON_NS]


def test_an_offset_is_stronger_than_the_zone() -> None:
    assert read("2020-01-02T12:00:00Z", "2020-01-02T07:00:00", zone=NEW_YORK) == [NOON_NS, NOON_NS]


def test_what_is_no_time_is_none_and_slashes_are_not_guessed() -> None:
    assert read("", None, "soon", "2020-13-01", "1/2/2020", "2020-01-02 25:00") == [None] * 6
    assert read("1/2/2020 12:00", form="%m/%d/%Y %H:%M") == [NOON_NS]
    assert read("1/2/2020 12:00", form="%d/%m/%Y %H:%M") == [NOON_NS + 30 * 86_400 * 10**9]


def test_years_that_nanoseconds_do_not_reach_are_none() -> None:
    assert read("9999-01-01", "1500-01-01") == [None, None]
    assert read("1/1/9999", form="%m/%d/%Y") == [None]


@pytest.mark.parametrize(("unit", "factor"), [("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1)])
def test_units(unit: str, factor: int) -> None:
    assert read(str(NOON_NS // factor), "x", form=unit, zone=None) == [NOON_NS, None]


def test_local_times_that_were_there_twice_or_never_are_none() -> None:
    twice, never = "2020-11-01 01:30:00", "2020-03-08 02:30:00"
    assert read(twice, never, zone=NEW_YORK) == [None, None]


def test_a_zone_is_never_guessed() -> None:
    with pytest.raises(CatalogueError, match="--timezone"):
        read("2020-01-02 12:00", zone=None)


def test_typed_columns_keep_what_they_say() -> None:
    zoned = pl.Series([datetime(2020, 1, 2, 12)]).dt.replace_time_zone("UTC")
    naive = pl.Series([datetime(2020, 1, 2, 7)])
    dates = pl.Series([date(2020, 1, 2)])
    assert utc_ns(read_stamps(zoned, "iso"), None).to_list() == [NOON_NS]
    assert utc_ns(read_stamps(naive, "iso"), NEW_YORK).to_list() == [NOON_NS]
    assert local_dates(read_stamps(dates, "iso"), NEW_YORK, ends=False).to_list() == [date(2020, 1, 2)]


def test_a_moment_that_ends_a_day_belongs_to_it() -> None:
    midnight = read_stamps(pl.Series(["2020-01-03T00:00:00Z"]), "iso")
    assert local_dates(midnight, "UTC", ends=True).to_list() == [date(2020, 1, 2)]
    assert local_dates(midnight, "UTC", ends=False).to_list() == [date(2020, 1, 3)]


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2039, 1, 1)),
    st.sampled_from(["UTC", NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_a_local_time_that_is_there_once_is_what_python_says(when: datetime, zone: str) -> None:
    known = ZoneInfo(zone)
    first, second = (when.replace(tzinfo=known, fold=fold) for fold in (0, 1))
    (found,) = read(when.isoformat(sep=" "), zone=zone)
    if first.utcoffset() == second.utcoffset():
        elapsed = first - datetime(1970, 1, 1, tzinfo=UTC)
        assert found == elapsed // timedelta(microseconds=1) * 1000
    else:
        assert found is None


@pytest.mark.parametrize("text", ["iso", "ms", "%m/%d/%Y", "%Y%m%d %H:%M"])
def test_formats_that_are_some(text: str) -> None:
    assert check_ts_format(text) == text


@pytest.mark.parametrize("text", ["", "MM/DD/YYYY", "millis"])
def test_formats_that_are_none(text: str) -> None:
    with pytest.raises(CatalogueError, match="--ts-format"):
        check_ts_format(text)
