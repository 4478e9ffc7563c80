"""Recorded lines to rows. Pure: what a line means depends only on the lines of its file before it."""

from collections.abc import Mapping, Sequence

import msgspec

from tradingd.feeds.binance.chunk import Chunk
from tradingd.feeds.binance.frames import Envelope
from tradingd.feeds.binance.streams import (
    RefusedStream,
    Stream,
    book_ticker_stream,
    depth_stream,
    snapshot_stream,
    trade_stream,
)
from tradingd.feeds.rows import Rejection, Rows

STREAM = b'{"stream":"'
SNAPSHOT = b'{"lastUpdateId'

_envelopes = msgspec.json.Decoder(Envelope)


class FrameParser:
    """Parses the lines of one file, in order.

    file          its number in the feed
    instruments   id -> index
    symbol        whose snapshots the file holds; by default that of its streams, where they have but one
    """

    def __init__(
        self,
        *,
        file: int,
        venue: str,
        instruments: Mapping[str, int],
        symbol: str | None = None,
    ) -> None:
        self._file = file
        self._venue = venue
        self._instruments = instruments
        self._symbol = symbol
        self._streams: dict[str, Stream] = {}
        self._first_line_of: dict[str, int] = {}  # by symbol
        self._lines = 0
        self._last_ns: int | None = None

    def parse(self, lines: Sequence[bytes]) -> Rows:
        """One row per line. Whether values make sense is not looked at here."""
        chunk = self._chunk(lines)
        snapshots: list[int] = []
        for header, rows in _by_header(chunk).items():
            if header.startswith(STREAM):
                self._fill(chunk, header[len(STREAM) :].decode("utf-8", "backslashreplace"), rows)
            elif header == SNAPSHOT:
                snapshots += rows
            else:
                snapshots += [row for row in rows if self._fill_unusual(chunk, row)]
        for row in snapshots:  # last, when the symbols of the lines before them are known
            self._snapshot_stream(int(chunk.columns["line"][row])).fill(chunk, [row])
        return Rows(chunk.columns, chunk.rejected)

    def damaged(self, reason: str) -> Rows:
        """The one row that stands for everything that could not be read."""
        chunk = self._chunk([b""])
        return Rows(chunk.columns, {0: Rejection(reason, "")})

    def _chunk(self, lines: Sequence[bytes]) -> Chunk:
        chunk = Chunk(lines, file=self._file, first_line=self._lines + 1, last_ns=self._last_ns)
        self._lines += len(lines)
        if len(lines) > len(chunk.rejected):
            self._last_ns = int(chunk.columns["ts_received_ns"][-1])
        return chunk

    def _fill(self, chunk: Chunk, name: str, rows: Sequence[int]) -> None:
        if name not in self._streams:
            self._streams[name] = self._stream(name)
        line = int(chunk.columns["line"][rows[0]])
        symbol = name.partition("@")[0].upper()
        self._first_line_of[symbol] = min(line, self._first_line_of.get(symbol, line))
        self._streams[name].fill(chunk, rows)

    def _stream(self, name: str) -> Stream:
        symbol, _, kind = name.partition("@")
        instrument = self._instruments.get(f"{self._venue}:{symbol.upper()}")
        if instrument is None:
            return RefusedStream(f"unknown symbol {self._venue}:{symbol.upper()}")
        match kind.partition("@")[0]:
            case "trade":
                return trade_stream(instrument)
            case "bookTicker":
                return book_ticker_stream(instrument)
            case depth if depth.startswith("depth"):
                return depth_stream(instrument)
        return RefusedStream(f"unknown stream {name}")

    def _snapshot_stream(self, line: int) -> Stream:
        symbols = [self._symbol] if self._symbol else [s for s, first in self._first_line_of.items() if first < line]
        if len(symbols) != 1:
            return RefusedStream(f"the snapshot names no symbol and its file has {len(symbols)} so far; set `symbol`")
        instrument = self._instruments.get(f"{self._venue}:{symbols[0]}")
        if instrument is None:
            return RefusedStream(f"unknown symbol {self._venue}:{symbols[0]}")
        return snapshot_stream(instrument)

    def _fill_unusual(self, chunk: Chunk, row: int) -> bool:
        """A frame that does not begin as Binance writes it. True if it is a snapshot, and still to be filled."""
        try:
            envelope = _envelopes.decode(chunk.payloads[row])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            chunk.reject(row, f"malformed frame: {error}")
            return False
        if envelope.stream:
            self._fill(chunk, envelope.stream, [row])
        elif not bytes(envelope.lastUpdateId):
            chunk.reject(row, "neither a stream's frame nor a depth snapshot")
        return not envelope.stream and row not in chunk.rejected


def _by_header(chunk: Chunk) -> dict[bytes, list[int]]:
    """Rows that are not rejected yet, by how their frame begins: up to the end of the stream's name."""
    by_header: dict[bytes, list[int]] = {}
    for row, payload in enumerate(chunk.payloads):
        header = payload[: payload.find(b'"', len(STREAM))]
        if header in by_header:
            by_header[header].append(row)
        else:
            by_header[header] = [row]
    if chunk.rejected:
        kept = {header: [row for row in rows if row not in chunk.rejected] for header, rows in by_header.items()}
        return {header: rows for header, rows in kept.items() if rows}
    return by_header
