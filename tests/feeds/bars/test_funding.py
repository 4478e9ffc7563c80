"""Recorded funding rates: read in the forms in which they come, and told at their times."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from world import ALFA

from tradingd.events import FundingRate, Input
from tradingd.feeds.bars.feed import bars_feed
from tradingd.feeds.bars.funding import MINUTE_NS, Funding, read_funding
from tradingd.feeds.bars.table import Bars, BarsError
from tradingd.feeds.settings import BarFile, BarsSettings, FundingFile

FREQTRADE = pl.DataFrame({"date": [datetime(2021, 11, 18, 8, 0, 0, 7000, UTC)], "open": [0.0001], "close": [0.0]})


def test_a_file_of_freqtrade_is_read_as_it_is(tmp_path: Path) -> None:
    FREQTRADE.write_ipc(tmp_path / "rates.feather")
    found = read_funding(tmp_path / "rates.feather")
    assert (found.ts_ns.tolist(), found.rate.tolist()) == ([1_637_222_400 * 10**9], [0.0001])


def test_csv_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,rate\n2021-11-18T08:00:00,-0.0001\n")
    assert read_funding(tmp_path / "a.csv").ts_ns.tolist() == [1_637_222_400 * 10**9]
    Funding.of(FREQTRADE).frame().write_parquet(tmp_path / "b.parquet")
    assert read_funding(tmp_path / "b.parquet").rate.tolist() == [0.0001]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rate": [0.1]}, "has no column ts_ns or date; it has rate"),
        ({"ts_ns": [0, 1], "rate": [0.1, 0.1]}, "row 1 has a time that is not after the one before it"),
        ({"ts_ns": [0], "rate": [None]}, "row 0 has no rate between -1 and 1"),
        ({"date": [1.5], "rate": [0.1]}, "column date holds Float64"),
    ],
)
def test_rates_that_can_not_be(columns: dict[str, object], said: str) -> None:
    with pytest.raises(BarsError, match=said):
        Funding.of(pl.DataFrame(columns))


def test_a_rate_is_told_between_the_bars_and_counts_as_a_row(tmp_path: Path) -> None:
    opens = np.arange(1, 4, dtype=np.int64) * MINUTE_NS
    Bars(opens, opens + MINUTE_NS, *np.full((5, 3), 10.0)).frame().write_parquet(tmp_path / "bars.parquet")
    pl.DataFrame({"ts_ns": [2 * MINUTE_NS], "rate": [0.01]}).write_parquet(tmp_path / "rates.parquet")
    files = (BarFile(path="bars.parquet", instrument=ALFA.id, timeframe="1m"),)
    funding = (FundingFile(path="rates.parquet", instrument=ALFA.id),)
    feed = bars_feed(BarsSettings(name="bars", files=files, funding=funding), 0, [ALFA], tmp_path)
    first, *_, last = [item for batch in feed.items(0) for item in batch]
    items = [item for batch in feed.items(0) for item in batch][1:-1]
    assert [len(item) if not isinstance(item, Input) else item.body for item in items] == [
        3,
        FundingRate("bars", 0, 0.01),
        6,
    ]
    assert [item.ts_received_ns for item in items if isinstance(item, Input)] == [2 * MINUTE_NS]
    assert "10 rows: 3 bars, 1 funding rates, 0 rejected" in str(last)
    assert [len(item) for batch in feed.items(4) for item in batch if not isinstance(item, Input)] == [6]
    assert isinstance(first, Input)
