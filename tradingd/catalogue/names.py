"""Names: of instruments as folders, and of data as files."""

import re
from urllib.parse import quote

from tradingd.catalogue.errors import CatalogueError
from tradingd.catalogue.shapes import Kind, timeframe_ns

_ID = re.compile(r"[A-Za-z0-9_.-]+:[^\s:]+")
_NAME = re.compile(r"trades|quotes|bars-(\w+)")


def check_instrument(instrument: str) -> str:
    """The same. Raises CatalogueError."""
    if not _ID.fullmatch(instrument):
        raise CatalogueError(
            f"{instrument!r} is no instrument; write it as VENUE:SYMBOL, like US:SPY or BINANCE:BTCUSDT"
        )
    return instrument


def folder_name(instrument: str) -> str:
    """VENUE+SYMBOL, since no venue has a plus; in a symbol what a file system may not take becomes %XX.

    FX:EUR/USD is in FX+EUR%2FUSD.
    """
    venue, _, symbol = check_instrument(instrument).partition(":")
    return f"{venue}+{quote(symbol, safe='')}"


def data_name(kind: Kind, timeframe: str | None) -> str:
    """bars-1m, trades, quotes."""
    return f"{kind}-{timeframe}" if kind is Kind.BARS else str(kind)


def parse_name(text: str) -> str:
    """The name of data as people write it: a timeframe means its bars. Raises CatalogueError."""
    if text in (Kind.TRADES, Kind.QUOTES):
        return text
    timeframe = text.removeprefix("bars-")
    timeframe_ns(timeframe)
    return data_name(Kind.BARS, timeframe)


def is_data(file_stem: str) -> bool:
    """Not what was kept from before a cleaning."""
    return _NAME.fullmatch(file_stem) is not None
