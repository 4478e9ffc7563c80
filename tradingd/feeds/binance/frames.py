"""The fields that are needed of each kind of frame; numbers come as JSON strings and are decoded in lax mode.

Source: Binance API documentation, WebSocket market streams of Spot and of USD-M futures.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

NS_PER_MS = 1_000_000
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=1, le=(2**63 - 1) // NS_PER_MS)]
MaybeMilliseconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // NS_PER_MS)]


class Trade(Struct, gc=False):
    t: Id
    p: float
    q: float
    T: Milliseconds
    m: bool  # the buyer is the maker: the seller was the aggressor
    X: str = "MARKET"  # USD-M only; others are insurance fund and auto-deleveraging


class BookTicker(Struct, gc=False):
    u: Id
    b: float
    B: float
    a: float
    A: float
    T: MaybeMilliseconds = 0  # not in spot


class Depth(Struct, gc=False):
    u: Id
    E: Milliseconds
    T: MaybeMilliseconds = 0  # not in spot


class TradeFrame(Struct, gc=False):
    data: Trade


class BookTickerFrame(Struct, gc=False):
    data: BookTicker


class DepthFrame(Struct, gc=False):
    data: Depth


class Snapshot(Struct, gc=False):
    """Answer of the REST depth endpoint; it names neither stream nor symbol."""

    lastUpdateId: Id
    bids: msgspec.Raw
    asks: msgspec.Raw
    T: MaybeMilliseconds = 0
    E: MaybeMilliseconds = 0


class Envelope(Struct, gc=False):
    """Only to find out what an unusual frame is."""

    stream: str = ""
    lastUpdateId: msgspec.Raw = msgspec.Raw()
