"""Settings to feeds."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never

from tradingd.feeds.bars.feed import bars_feed
from tradingd.feeds.binance.recorded import recorded_feed
from tradingd.feeds.contract import Feed
from tradingd.feeds.files.feed import file_feed
from tradingd.feeds.pace import PacedFeed
from tradingd.feeds.settings import (
    BarsSettings,
    BinanceRecordedSettings,
    FeedSettings,
    FileSettings,
    SimulatedSettings,
)
from tradingd.feeds.simulated import simulated_feed
from tradingd.instruments import Instrument


def build_feed(
    settings: FeedSettings,
    source: int,
    instruments: Sequence[Instrument],
    base_dir: Path,
    now_ns: Callable[[], int] = time.time_ns,
) -> Feed:
    """The feed, ready to start.

    source        its index among the journal's feeds
    instruments   the journal's; a tick names one by its place
    base_dir      what relative paths start from: the config's folder
    now_ns        the clock: no row of a file can be of a later time

    Raises FeedConfigError (a missing, empty or unreadable file, a missing column, an undeclared instrument).
    """
    feed = _feed_at_full_speed(settings, source, instruments, base_dir, now_ns())
    return PacedFeed(feed, settings.speed) if settings.pace == "recorded" else feed


def _feed_at_full_speed(
    settings: FeedSettings, source: int, instruments: Sequence[Instrument], base_dir: Path, now_ns: int
) -> Feed:
    match settings:
        case BinanceRecordedSettings():
            return recorded_feed(settings, source, instruments, base_dir, now_ns)
        case FileSettings():
            return file_feed(settings, source, instruments, base_dir, now_ns)
        case BarsSettings():
            return bars_feed(settings, source, instruments, base_dir)
        case SimulatedSettings():
            return simulated_feed(settings, source, instruments)
        case _:
            assert_never(settings)
