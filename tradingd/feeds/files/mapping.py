"""Pieces of a table to rows, by the mapping that the settings give."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradingd.columns import AGGRESSOR_BUY, AGGRESSOR_SELL, INELIGIBLE, NO_VENUE_ID, QUOTE, TRADE
from tradingd.feeds.checks import faults_of
from tradingd.feeds.files.cells import Cells, choices, flags, integers, numbers, times_ns
from tradingd.feeds.files.tables import Piece
from tradingd.feeds.rows import UNKNOWN_NS, Columns, Rejection, Rows, empty_columns, filled_times
from tradingd.feeds.settings import TickFile

SIDES = {"buy": AGGRESSOR_BUY, "b": AGGRESSOR_BUY, "sell": AGGRESSOR_SELL, "s": AGGRESSOR_SELL, "unknown": 0}
BUYER_MAKER = {"true": AGGRESSOR_SELL, "1": AGGRESSOR_SELL, "false": AGGRESSOR_BUY, "0": AGGRESSOR_BUY}
TRADE_NUMBERS = {"price": "price", "size": "size"}
QUOTE_NUMBERS = {"price": "bid", "size": "bid_size", "ask_price": "ask", "ask_size": "ask_size"}


class Mapper:
    """Makes the rows of one file, in order.

    file          its number in the feed
    instruments   id -> index
    floors        by instrument, what a price must lie above
    """

    def __init__(
        self, spec: TickFile, *, file: int, instruments: Mapping[str, int], floors: npt.NDArray[np.float64]
    ) -> None:
        self._spec = spec
        self._file = file
        self._instruments = instruments
        self._floors = floors
        self._lines = 0
        self._last_ns: int | None = None

    def rows(self, piece: Piece) -> Rows:
        columns = empty_columns(len(piece.frame))
        columns["file"][:] = self._file
        columns["line"] = np.arange(piece.first_line, piece.first_line + len(piece.frame))
        faults = dict(piece.malformed)
        self._fill_instruments(columns, piece.frame, faults)
        self._fill_times(columns, piece.frame, faults)
        self._fill_flags(columns, piece.frame, faults)
        self._fill_numbers(columns, piece.frame, faults)
        for row, reason in faults_of(columns, self._floors).items():
            faults.setdefault(row, reason)
        self._lines = int(columns["line"][-1])
        return Rows(columns).rejecting({row: Rejection(why, piece.text(row)) for row, why in sorted(faults.items())})

    def damaged(self, reason: str) -> Rows:
        """The one row that stands for everything that could not be read."""
        columns = empty_columns(1)
        columns["file"][:] = self._file
        columns["line"][:] = self._lines + 1
        columns["ts_received_ns"][:] = self._last_ns or 0
        return Rows(columns, {0: Rejection(reason, "")})

    def _fill_instruments(self, columns: Columns, frame: pl.DataFrame, faults: dict[int, str]) -> None:
        if self._spec.columns.symbol is None:
            columns["instrument"][:] = self._instruments[str(self._spec.instrument)]
            return
        symbols = frame[self._spec.columns.symbol].cast(pl.String)
        prefix = f"{self._spec.venue}:"
        known = {name.removeprefix(prefix): i for name, i in self._instruments.items() if name.startswith(prefix)}
        for row in np.flatnonzero(~symbols.is_in(list(known)).fill_null(value=False).to_numpy()).tolist():
            faults.setdefault(row, f"unknown symbol {prefix}{symbols[row] or ''}")
        columns["instrument"][:] = symbols.replace_strict(known, default=0, return_dtype=pl.UInt16).to_numpy()

    def _fill_times(self, columns: Columns, frame: pl.DataFrame, faults: dict[int, str]) -> None:
        spec = self._spec.columns
        event = _noted(times_ns(frame[spec.ts_event], self._spec.ts_unit), faults)
        received = event
        if spec.ts_received is not None:
            received = _noted(times_ns(frame[spec.ts_received], self._spec.ts_unit), faults)
        columns["ts_event_ns"] = event
        columns["ts_received_ns"] = filled_times(received, self._last_ns)
        if (received != UNKNOWN_NS).any():
            self._last_ns = int(columns["ts_received_ns"][-1])

    def _fill_flags(self, columns: Columns, frame: pl.DataFrame, faults: dict[int, str]) -> None:
        spec = self._spec
        for name, values in ((spec.columns.side, SIDES), (spec.columns.buyer_maker, BUYER_MAKER)):
            if name is not None:
                columns["flags"] |= _noted(choices(frame[name], values), faults)
        if spec.ineligible is not None:
            columns["flags"] |= np.where(flags(frame[spec.ineligible]), INELIGIBLE, 0).astype(np.uint8)

    def _fill_numbers(self, columns: Columns, frame: pl.DataFrame, faults: dict[int, str]) -> None:
        spec = self._spec.columns
        columns["kind"][:] = TRADE if spec.price is not None else QUOTE
        for column, key in (TRADE_NUMBERS if spec.price is not None else QUOTE_NUMBERS).items():
            if (name := getattr(spec, key)) is not None:
                columns[column] = _noted(numbers(frame[name]), faults)
        for price, size in (("price", "size"), ("ask_price", "ask_size")):
            columns[size] = np.where(np.isnan(columns[price]), np.nan, columns[size])  # of a side that is absent
        if spec.venue_id is not None:
            columns["venue_id"] = _noted(integers(frame[spec.venue_id], NO_VENUE_ID), faults)


def _noted(cells: Cells, faults: dict[int, str]) -> npt.NDArray[Any]:
    """The values, after their faults were taken down."""
    for row in np.flatnonzero(cells.bad).tolist():
        faults.setdefault(row, cells.reason)
    return cells.values
