"""Recorded frames of Binance as events: a snapshot, the diffs that continue it, and trades.

How a book is kept in step: Binance, "How to manage a local order book correctly", of USD-M futures and of Spot. A diff
holds the updates U to u. Futures also say `pu`, the u of the diff before; on Spot the next U is u + 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from tradingd.backtesting.depth.events import DepthEvents
from tradingd.backtesting.depth.recording import Recording, events_of
from tradingd.backtesting.errors import BacktestError
from tradingd.feeds.reading import FileDamagedError, line_chunks
from tradingd.kernels.depth_book import ASK, BID, BUY_TRADE, CLEAR, SELL_TRADE

NS_PER_MS = 1_000_000
Levels = list[tuple[float, float]]


class Data(Struct):
    """Of a diff (b, a, U, u, pu) or of a trade (p, q, m, X); numbers come as JSON strings."""

    e: str = ""
    s: str = ""
    E: int = 0
    T: int = 0
    U: int = 0
    u: int = 0
    pu: int | None = None
    b: Levels | float = 0.0
    a: Levels | float = 0.0
    p: float = 0.0
    q: float = 0.0
    m: bool = False
    X: str = "MARKET"


class Frame(Struct):
    """A stream's frame, or the answer of the REST depth endpoint."""

    stream: str = ""
    data: Data | None = None
    lastUpdateId: int | None = None
    bids: Levels = []
    asks: Levels = []
    T: int = 0
    E: int = 0


_frames = msgspec.json.Decoder(Frame, strict=False)


def read_binance(
    path: Path,
    *,
    tick_size: float,
    lot_size: float,
    symbol: str | None = None,
    clock_offset_ns: int = 0,
    feed_latency_ns: int | None = None,
    gaps: str = "error",
) -> DepthEvents:
    """Lines of `<receive time, ns> <frame>`, plain or gzip; frames of other streams are passed over.

    symbol   as BTCUSDT; needed where the file has several, and then its snapshots have to be of that one
    gaps     "error", or "clear": a missing diff ends the book until the next snapshot

    Raises BacktestError: no snapshot, a break in the chain of diffs, two symbols, a line that is no frame; OSError.
    """
    if gaps not in ("error", "clear"):
        raise BacktestError(f'gaps={gaps!r}; it is "error" or "clear"')
    reader = _Reader(path.name, symbol and symbol.upper(), gaps, symbol is not None)
    for number, received_ns, payload in _lines(path):
        reader.take(number, received_ns, payload)
    r = reader.recording
    if not r.kind:
        raise BacktestError(f"{path.name} has no depth snapshot that its diffs continue; a book needs one")
    return events_of(
        r.event_ns, r.received_ns, r.kind, r.price, r.size, tick_size=tick_size, lot_size=lot_size,
        clock_offset_ns=clock_offset_ns, feed_latency_ns=feed_latency_ns,
    )  # fmt: skip


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    number = 0
    try:
        for lines in line_chunks(path):
            for line in lines:
                number += 1
                head, _, payload = line.partition(b" ")
                if line and not head.isdigit():
                    raise BacktestError(f"{path.name}, line {number}: no receive time before the frame")
                if line:
                    yield number, int(head), payload
    except FileDamagedError as damage:
        raise BacktestError(f"{path.name}, after line {number}: {damage}") from damage


@dataclass
class _Reader:
    """last_id is the u of the newest diff; None while there is no book. `early` are diffs from before the snapshot."""

    file: str
    symbol: str | None
    gaps: str
    named: bool
    recording: Recording = field(default_factory=Recording)
    last_id: int | None = None
    is_first: bool = True
    early: list[tuple[int, int, Data]] = field(default_factory=list)

    def take(self, number: int, received_ns: int, payload: bytes) -> None:
        if b"bookTicker" in payload[:80]:
            return
        try:
            frame = _frames.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BacktestError(f"{self.file}, line {number}: no frame of depth or trades: {error}") from error
        if frame.lastUpdateId is not None:
            self._snapshot(received_ns, frame.lastUpdateId, frame)
        elif frame.data is not None and frame.data.e in ("depthUpdate", "trade"):
            self._stream(number, received_ns, frame.data)

    def _stream(self, number: int, received_ns: int, data: Data) -> None:
        self.symbol = self.symbol or data.s
        if data.s != self.symbol:
            self._other(number, data.s)
            return
        if data.e == "trade":
            self._trade(received_ns, data)
        elif self.last_id is None:
            self.early.append((number, received_ns, data))
        else:
            self._diff(number, received_ns, data)

    def _other(self, number: int, symbol: str) -> None:
        if not self.named:
            said = f"has {symbol} beside {self.symbol}; say which with symbol="
            raise BacktestError(f"{self.file}, line {number}: {said}")

    def _snapshot(self, received_ns: int, last_id: int, frame: Frame) -> None:
        """It is older than the diffs that came while it was on its way, which continue it."""
        going_on = [each for each in self.early if each[2].u >= last_id]
        named_ns = (frame.T or frame.E) * NS_PER_MS or received_ns
        event_ns = min([named_ns, *(_event_ns(data) for _, _, data in going_on)])
        self.recording.add(event_ns, received_ns, CLEAR)
        self.recording.levels(event_ns, received_ns, BID, frame.bids)
        self.recording.levels(event_ns, received_ns, ASK, frame.asks)
        self.last_id, self.is_first, self.early = last_id, True, []
        for each in going_on:
            self._diff(*each)

    def _diff(self, number: int, received_ns: int, data: Data) -> None:
        assert self.last_id is not None
        is_spot = data.pu is None
        if self.is_first and (data.u <= self.last_id if is_spot else data.u < self.last_id):
            return
        if not self._continues(data, is_spot):
            self._gap(number, received_ns, data)
            return
        self.last_id, self.is_first = data.u, False
        for kind, levels in ((BID, data.b), (ASK, data.a)):
            if isinstance(levels, list):
                self.recording.levels(_event_ns(data), received_ns, kind, levels)

    def _continues(self, data: Data, is_spot: bool) -> bool:
        assert self.last_id is not None
        if self.is_first:
            return self.last_id + is_spot >= data.U
        return self.last_id + 1 == data.U if is_spot else data.pu == self.last_id

    def _gap(self, number: int, received_ns: int, data: Data) -> None:
        if self.gaps == "error":
            said = f"a diff from update {data.U} does not continue {self.last_id}"
            raise BacktestError(f'{self.file}, line {number}: {said}; gaps="clear" goes on at the next snapshot')
        self.recording.add(_event_ns(data), received_ns, CLEAR)
        self.last_id, self.early = None, [(number, received_ns, data)]

    def _trade(self, received_ns: int, data: Data) -> None:
        """Others than of the market are the insurance fund's and auto-deleveraging, and not made in the book."""
        if self.last_id is not None and data.X == "MARKET":
            kind = SELL_TRADE if data.m else BUY_TRADE
            self.recording.add(_event_ns(data), received_ns, kind, data.p, data.q)


def _event_ns(data: Data) -> int:
    return (data.T or data.E) * NS_PER_MS
