"""Ticks and bars as columns: the shapes that feeds fill, kernels read and the journal stores.

A tick is a row, never an object. Rows of a `TickBatch` get consecutive sequence numbers when the core takes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from tradingd.instruments import NS, Session

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
U16 = npt.NDArray[np.uint16]
U8 = npt.NDArray[np.uint8]

# kinds of tick
TRADE, QUOTE, FRAME, BAR_OPEN, BAR_RANGE, BAR_CLOSE = range(1, 7)
KIND_NAMES = {
    TRADE: "Trade",
    QUOTE: "Quote",
    FRAME: "Frame",
    BAR_OPEN: "BarOpen",
    BAR_RANGE: "BarRange",
    BAR_CLOSE: "BarClose",
}
BAR_KINDS = (BAR_OPEN, BAR_RANGE, BAR_CLOSE)
# flags of tick
AGGRESSOR_BUY, AGGRESSOR_SELL, INELIGIBLE = 1, 2, 4
NO_VENUE_ID = -1

Timeframe = Literal["1s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"]
TIMEFRAMES: tuple[Timeframe, ...] = get_args(Timeframe)
TIMEFRAME_NS = tuple(s * 1_000_000_000 for s in (1, 60, 300, 900, 1800, 3600, 14_400, 86_400))
DAY_TIMEFRAME = 7  # its borders are the session's, not multiples of its length

# One closed bar as strategies see it. `vwap` is NaN where nothing was traded (bars of quotes).
BAR = np.dtype(
    [
        ("ts_open", "<i8"),
        ("ts_close", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
        ("vwap", "<f8"),
        ("trades", "<i8"),
        ("instrument", "<u2"),
        ("timeframe", "u1"),
    ],
    align=True,
)
BarArray = npt.NDArray[np.void]  # of BAR


def parent_level(session: Session, timeframe: int, finer: Sequence[int]) -> int | None:
    """Index in `finer` of the coarsest timeframe whose bars fill bars of `timeframe`; None where there is none.

    A day's borders are its session's, so what fills it has to divide the session's opening time and length, and every
    offset of its zone.
    """
    border_s = [TIMEFRAME_NS[timeframe] // NS]
    if timeframe == DAY_TIMEFRAME:
        border_s = [session.open_s, session.length_s, *(offset_s for _, offset_s in session.utc_offsets)]
    fits = [index for index, other in enumerate(finer) if all(s % (TIMEFRAME_NS[other] // NS) == 0 for s in border_s)]
    return max(fits, default=None)


@dataclass(frozen=True, slots=True)
class TickBatch:
    """Rows from one source, in the order in which they were received.

    kind            TRADE, QUOTE or FRAME (a payload kept as it came); a bar without ticks is three rows, which
                    feeds.bars makes: BAR_OPEN, BAR_RANGE, BAR_CLOSE
    flags           AGGRESSOR_*, INELIGIBLE (kept, but makes no bar and fills nothing)
    instrument      index into the journal's instruments
    ts_event_ns     at the source; ts_received_ns at us (equal where a file has no receive time)
    price, size     of the trade, or of the bid; a bar's open and volume, low, or close and volume
    ask_price, ask_size   of the ask; a bar's high
    venue_id        trade or update id at the venue; NO_VENUE_ID where there is none
    frames          payloads of the FRAME rows, in order

    Absent numbers are NaN in memory and NULL in the journal; a quote side that is absent did not change, one of size 0
    is empty. There is no -0.0. `source` is the index of the feed.
    """

    source: int
    kind: U8
    flags: U8
    instrument: U16
    ts_event_ns: I64
    ts_received_ns: I64
    price: F64
    size: F64
    ask_price: F64
    ask_size: F64
    venue_id: I64
    frames: tuple[bytes, ...] = ()

    def __len__(self) -> int:
        return len(self.kind)

    def slice(self, start: int, stop: int) -> Self:
        """Rows start..stop-1 as views."""
        skipped = int(np.count_nonzero(self.kind[:start] == FRAME)) if self.frames else 0
        kept = int(np.count_nonzero(self.kind[start:stop] == FRAME)) if self.frames else 0
        columns = {name: getattr(self, name)[start:stop] for name in TICK_COLUMNS}
        return type(self)(source=self.source, frames=self.frames[skipped : skipped + kept], **columns)


TICK_COLUMNS = tuple(f.name for f in fields(TickBatch) if f.name not in ("source", "frames"))
TICK_DTYPES: dict[str, Any] = {
    "kind": np.uint8,
    "flags": np.uint8,
    "instrument": np.uint16,
    "ts_event_ns": np.int64,
    "ts_received_ns": np.int64,
    "price": np.float64,
    "size": np.float64,
    "ask_price": np.float64,
    "ask_size": np.float64,
    "venue_id": np.int64,
}
TICK_DEFAULTS: dict[str, Any] = {
    "flags": 0,
    "price": np.nan,
    "size": np.nan,
    "ask_price": np.nan,
    "ask_size": np.nan,
    "venue_id": NO_VENUE_ID,
}


def tick_batch(source: int, *, frames: tuple[bytes, ...] = (), **columns: Any) -> TickBatch:
    """A batch from array-likes; optional columns default to absent, a missing receive time to the event time."""
    rows = len(columns["ts_event_ns"])
    columns.setdefault("ts_received_ns", columns["ts_event_ns"])
    arrays = {
        name: np.array(np.broadcast_to((TICK_DEFAULTS | columns)[name], rows), dtype)
        for name, dtype in TICK_DTYPES.items()
    }
    for name in ("price", "size", "ask_price", "ask_size"):
        arrays[name] = arrays[name] + 0.0  # -0.0 becomes 0.0
    return TickBatch(source=source, frames=frames, **arrays)


def concat_ticks(batches: list[TickBatch]) -> TickBatch:
    """Batches of one source as one."""
    columns = {name: np.concatenate([getattr(b, name) for b in batches]) for name in TICK_COLUMNS}
    frames = tuple(frame for batch in batches for frame in batch.frames)
    return TickBatch(source=batches[0].source, frames=frames, **columns)
