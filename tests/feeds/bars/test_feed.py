"""What a file of bars may not hold is said before the feed starts."""

from pathlib import Path

import pytest
from world import ALFA

from tradingd.feeds.bars.feed import bars_feed
from tradingd.feeds.contract import FeedConfigError
from tradingd.feeds.settings import BarFile, BarsSettings

from .test_table import frame


def test_bars_before_1970_are_refused(tmp_path: Path) -> None:
    minute_ns = 60_000_000_000
    opens = [-minute_ns, 0, minute_ns]
    closes = [opened + minute_ns for opened in opens]
    frame(ts_open_ns=opens, ts_close_ns=closes).write_parquet(tmp_path / "bars.parquet")
    settings = BarsSettings(name="old", files=(BarFile(path="bars.parquet", instrument=ALFA.id, timeframe="1m"),))
    with pytest.raises(FeedConfigError, match="begin before 1970"):
        bars_feed(settings, 0, [ALFA], tmp_path)
