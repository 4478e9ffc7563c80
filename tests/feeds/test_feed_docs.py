"""The examples of docs/feeds.md are settings that are accepted, and cover every kind."""

import re
import tomllib
from pathlib import Path

import msgspec

from tradingd.feeds.settings import FeedSettings

DOC = Path(__file__).resolve().parents[2] / "docs" / "feeds.md"


def test_examples_are_accepted() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", DOC.read_text(), re.MULTILINE | re.DOTALL)
    feeds = [feed for block in blocks for feed in tomllib.loads(block)["feeds"]]
    accepted = [msgspec.convert(feed, FeedSettings) for feed in feeds]
    assert {settings.__struct_config__.tag for settings in accepted} == {
        "bars",
        "binance_recorded",
        "file",
        "simulated",
    }
