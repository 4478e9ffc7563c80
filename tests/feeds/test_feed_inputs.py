"""A restart over other files than those that the journal's rows came from is refused; over the same ones it is not."""

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tradingd.events import FeedStatus, Input
from tradingd.feeds.build import build_feed
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.feed import RowFeed
from tradingd.feeds.settings import FeedSettings
from tradingd.instruments import AssetClass, Instrument

T0_MS = 1_400_000_000_000
INSTRUMENTS = [
    Instrument(id=name, asset_class=AssetClass.SPOT, tick_size=0.01, lot_size=1.0, currency="USD")
    for name in ("X:A", "X:B")
]
COLUMNS = {"ts_event": "ts", "price": "price", "size": "size"}
MARKET = {"kind": "simulated", "name": "feed", "seed": 1, "start": "2026-01-05", "duration_s": 9}
MARKET["instruments"] = [{"instrument": "X:A", "price": 5.0}]


def write(path: Path, rows: int, price: float = 1.0) -> None:
    path.write_text("ts,price,size\n" + "".join(f"{T0_MS + n},{price + n},1\n" for n in range(rows)))


def files(*paths: str, **changes: object) -> dict[str, Any]:
    spec = {"ts_unit": "ms", "instrument": "X:A", "columns": COLUMNS}
    return {"kind": "file", "name": "feed", "files": [{"path": path, **spec} for path in paths], **changes}


def feed_of(settings: dict[str, Any], folder: Path) -> RowFeed:
    feed = build_feed(msgspec.convert(settings, FeedSettings), 0, INSTRUMENTS, folder)
    assert isinstance(feed, RowFeed)
    return feed


def told_by(feed: RowFeed) -> str:
    """What it says of its inputs when it begins."""
    began = next(feed.items(0))[0]
    assert isinstance(began, Input)
    assert isinstance(began.body, FeedStatus)
    return began.body.detail


def refused(told: str, feed: RowFeed) -> bool:
    try:
        feed.inputs.check("feed", told, 1234)
    except FeedConfigError as error:
        assert str(error).startswith(
            "feed feed: the 1,234 rows in the journal are of other files or settings than these"
        )
        assert "\n" not in str(error)
        return True
    return False


def test_the_same_files_go_on_wherever_they_stand_and_however_fast(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 5)
    told = told_by(feed_of(files("a.csv"), tmp_path))
    shutil.copytree(tmp_path, tmp_path / "moved")
    os.utime(tmp_path / "moved" / "a.csv", (0, 0))
    assert not refused(told, feed_of(files("moved/a.csv", batch_rows=7, time_error_s_max=5.0), tmp_path))


@pytest.mark.parametrize("rows", [5, 20_000])
def test_another_file_under_the_same_name_is_refused(tmp_path: Path, rows: int) -> None:
    write(tmp_path / "a.csv", rows)
    told = told_by(feed_of(files("a.csv"), tmp_path))
    write(tmp_path / "a.csv", rows, price=2.0)
    assert refused(told, feed_of(files("a.csv"), tmp_path))


@pytest.mark.parametrize(("before", "after"), [(5, 9), (5, 20_000), (20_000, 20_001)])
def test_a_single_file_may_grow_and_not_shrink(tmp_path: Path, before: int, after: int) -> None:
    write(tmp_path / "a.csv", before)
    shorter = feed_of(files("a.csv"), tmp_path)
    told = told_by(shorter)
    write(tmp_path / "a.csv", after)
    longer = feed_of(files("a.csv"), tmp_path)
    assert not refused(told, longer)
    told = told_by(longer)
    write(tmp_path / "a.csv", before)
    assert refused(told, feed_of(files("a.csv"), tmp_path))


def test_one_of_several_files_may_not_grow_since_rows_of_others_may_come_after_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 5)
    write(tmp_path / "b.csv", 20_000)
    told = told_by(feed_of(files("a.csv", "b.csv"), tmp_path))
    assert not refused(told, feed_of(files("a.csv", "b.csv"), tmp_path))
    assert refused(told, feed_of(files("b.csv", "a.csv"), tmp_path))
    assert refused(told, feed_of(files("a.csv"), tmp_path))
    write(tmp_path / "b.csv", 20_001)
    assert refused(told, feed_of(files("a.csv", "b.csv"), tmp_path))


def test_another_mapping_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", 5)
    told = told_by(feed_of(files("a.csv"), tmp_path))
    other = files("a.csv")
    other["files"][0]["instrument"] = "X:B"
    assert refused(told, feed_of(other, tmp_path))


@pytest.mark.parametrize("change", [{"seed": 2}, {"ticks_per_s": 7}, {"start": "2026-01-06"}])
def test_another_simulated_market_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    told = told_by(feed_of(MARKET, tmp_path))
    assert not refused(told, feed_of(MARKET | {"batch_rows": 3}, tmp_path))
    assert not refused(told, feed_of(MARKET | {"duration_s": 10}, tmp_path))  # it begins in the same way
    assert refused(told, feed_of(MARKET | change, tmp_path))


def test_a_journal_that_says_nothing_of_inputs_is_taken_at_its_word(tmp_path: Path) -> None:
    """As those were written before feeds told them."""
    assert not refused("resumed after 12 rows", feed_of(MARKET, tmp_path))
