"""Settings to feeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from tradingd.feeds.binance.recorded import recorded_feed
from tradingd.feeds.contract import Feed
from tradingd.feeds.files.feed import file_feed
from tradingd.feeds.pace import PacedFeed
from tradingd.feeds.settings import BinanceRecordedSettings, FeedSettings, FileSettings, SimulatedSettings
from tradingd.feeds.simulated import simulated_feed
from tradingd.instruments import Instrument


def build_feed(settings: FeedSettings, source: int, instruments: Sequence[Instrument], base_dir: Path) -> Feed:
    """The feed, ready to start.

    source        its index among the journal's feeds
    instruments   the journal's; a tick names one by its place
    base_dir      what relative paths start from: the config's folder

    Raises FeedConfigError (a missing, empty or unreadable file, a missing column, an undeclared instrument).
    """
    feed = _feed_at_full_speed(settings, source, instruments, base_dir)
    return PacedFeed(feed, settings.speed) if settings.pace == "recorded" else feed


def _feed_at_full_speed(settings: FeedSettings, source: int, instruments: Sequence[Instrument], base_dir: Path) -> Feed:
    match settings:
        case BinanceRecordedSettings():
            return recorded_feed(settings, source, instruments, base_dir)
        case FileSettings():
            return file_feed(settings, source, instruments, base_dir)
        case SimulatedSettings():
            return simulated_feed(settings, source, instruments)
        case _:
            assert_never(settings)
