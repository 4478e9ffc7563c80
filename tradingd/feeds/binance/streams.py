"""How the frames of each kind of stream fill their rows.

Frames of one stream are decoded in one call, several times faster than one by one; only where that fails is each
decoded alone, to find the bad one.
"""

from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Any, Protocol

import msgspec
import numpy as np

from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL, FRAME, I64, INELIGIBLE, QUOTE, TRADE
from tradingd.feeds.binance.chunk import Chunk
from tradingd.feeds.binance.frames import (
    NS_PER_MS,
    BookTickerFrame,
    DepthFrame,
    Snapshot,
    TradeFrame,
)


class Stream(Protocol):
    """What is done with the frames of one stream name."""

    def fill(self, chunk: Chunk, rows: Sequence[int]) -> None: ...


class RefusedStream:
    """A stream that no row can be made of."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def fill(self, chunk: Chunk, rows: Sequence[int]) -> None:
        for row in rows:
            chunk.reject(row, self._reason)


class TickStream:
    """A stream of one instrument, whose frames have the shape `frame` and fill columns by `fill_columns`."""

    def __init__(
        self, instrument: int, frame: type[Any], fill_columns: Callable[[Chunk, I64, list[Any]], None]
    ) -> None:
        self._instrument = instrument
        self._fill_columns = fill_columns
        self._one = msgspec.json.Decoder(frame, strict=False)
        self._many = msgspec.json.Decoder(GenericAlias(list, frame), strict=False)

    def fill(self, chunk: Chunk, rows: Sequence[int]) -> None:
        frames = self._decode([chunk.payloads[row] for row in rows])
        if frames is None:
            rows, frames = self._decode_each(chunk, rows)
        if rows:
            places = np.array(rows, np.int64)
            chunk.columns["instrument"][places] = self._instrument
            self._fill_columns(chunk, places, frames)

    def _decode(self, payloads: list[bytes]) -> list[Any] | None:
        """None where a frame is bad, or the payloads are not one frame each."""
        try:
            frames = self._many.decode(b"[" + b",".join(payloads) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return frames if len(frames) == len(payloads) else None

    def _decode_each(self, chunk: Chunk, rows: Sequence[int]) -> tuple[list[int], list[Any]]:
        good: list[int] = []
        frames: list[Any] = []
        for row in rows:
            try:
                frames.append(self._one.decode(chunk.payloads[row]))
                good.append(row)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                chunk.reject(row, f"malformed frame: {error}")
        return good, frames


def trade_stream(instrument: int) -> TickStream:
    return TickStream(instrument, TradeFrame, _fill_trades)


def book_ticker_stream(instrument: int) -> TickStream:
    return TickStream(instrument, BookTickerFrame, _fill_quotes)


def depth_stream(instrument: int) -> TickStream:
    return TickStream(instrument, DepthFrame, _fill_depth)


def snapshot_stream(instrument: int) -> TickStream:
    return TickStream(instrument, Snapshot, _fill_snapshots)


def _fill_trades(chunk: Chunk, rows: I64, frames: list[Any]) -> None:
    trades = [frame.data for frame in frames]
    columns = chunk.columns
    side = np.where([trade.m for trade in trades], AGGRESSOR_SELL, AGGRESSOR_BUY)
    market = np.array([trade.X == "MARKET" for trade in trades])
    columns["kind"][rows] = TRADE
    columns["flags"][rows] = np.where(market, side, side | INELIGIBLE)
    columns["ts_event_ns"][rows] = np.array([trade.T for trade in trades]) * NS_PER_MS
    columns["venue_id"][rows] = [trade.t for trade in trades]
    _fill_numbers(chunk, rows, "price", [trade.p for trade in trades])
    _fill_numbers(chunk, rows, "size", [trade.q for trade in trades])


def _fill_quotes(chunk: Chunk, rows: I64, frames: list[Any]) -> None:
    tickers = [frame.data for frame in frames]
    chunk.columns["kind"][rows] = QUOTE
    chunk.columns["venue_id"][rows] = [ticker.u for ticker in tickers]
    _fill_event_times(chunk, rows, [ticker.T for ticker in tickers])
    _fill_numbers(chunk, rows, "price", [ticker.b for ticker in tickers])
    _fill_numbers(chunk, rows, "size", [ticker.B for ticker in tickers])
    _fill_numbers(chunk, rows, "ask_price", [ticker.a for ticker in tickers])
    _fill_numbers(chunk, rows, "ask_size", [ticker.A for ticker in tickers])


def _fill_depth(chunk: Chunk, rows: I64, frames: list[Any]) -> None:
    chunk.columns["kind"][rows] = FRAME
    chunk.columns["venue_id"][rows] = [frame.data.u for frame in frames]
    _fill_event_times(chunk, rows, [frame.data.T or frame.data.E for frame in frames])


def _fill_snapshots(chunk: Chunk, rows: I64, frames: list[Any]) -> None:
    chunk.columns["kind"][rows] = FRAME
    chunk.columns["venue_id"][rows] = [frame.lastUpdateId for frame in frames]
    _fill_event_times(chunk, rows, [frame.T or frame.E for frame in frames])


def _fill_event_times(chunk: Chunk, rows: I64, times_ms: list[int]) -> None:
    """0 means that the frame names no time; the receive time then stands."""
    times_ns = np.array(times_ms, np.int64) * NS_PER_MS
    named = times_ns != 0
    chunk.columns["ts_event_ns"][rows[named]] = times_ns[named]


def _fill_numbers(chunk: Chunk, rows: I64, column: str, numbers: list[float]) -> None:
    """A NaN in a frame is as bad as an infinity, and must not look like an absent number."""
    values = np.array(numbers, np.float64) + 0.0  # -0.0 becomes 0.0
    chunk.columns[column][rows] = np.where(np.isnan(values), np.inf, values)
