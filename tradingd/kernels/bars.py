"""Ticks to bars of several timeframes in one pass, and the three steps that every maker of bars shares.

Order of summation, the same here and in the scan, so that both give equal bits: a bar of the finest timeframe adds up
volume and notional (price x size) tick by tick, left to right; a coarser bar adds up the sums of the closed finer bars
that fill it, in order. vwap is notional / volume, once, when the bar closes; NaN where nothing was traded.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tradingd.columns import BAR, DAY_TIMEFRAME, F64, I64, TIMEFRAME_NS, BarArray, parent_level
from tradingd.instruments import Session
from tradingd.kernels.compile import kernel
from tradingd.kernels.sessions import session_bounds

# A bar in progress; there is none where trades == 0.
WORK = np.dtype(
    [
        ("ts_open", "<i8"),
        ("ts_close", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
        ("notional", "<f8"),
        ("trades", "<i8"),
    ],
    align=True,
)
LENGTH_NS = np.array(TIMEFRAME_NS, np.int64)
EARLIEST = np.iinfo(np.int64).min
ALL_TIMEFRAMES = tuple(range(len(TIMEFRAME_NS)))
ROUND_THE_CLOCK = Session()


@kernel
def bar_start(work: Any, ts_open: int, ts_close: int, price: float, size: float) -> None:
    """The first tick of a bar."""
    work.ts_open = ts_open
    work.ts_close = ts_close
    work.open = price
    work.high = price
    work.low = price
    work.close = price
    work.volume = size
    work.notional = price * size
    work.trades = 1


@kernel
def bar_add(work: Any, price: float, size: float) -> None:
    """A further tick of a bar."""
    work.high = max(work.high, price)
    work.low = min(work.low, price)
    work.close = price
    work.volume += size
    work.notional += price * size
    work.trades += 1


@kernel
def bar_merge(coarser: Any, finer: Any) -> None:
    """A closed finer bar goes into the coarser one in progress."""
    coarser.high = max(coarser.high, finer.high)
    coarser.low = min(coarser.low, finer.low)
    coarser.close = finer.close
    coarser.volume += finer.volume
    coarser.notional += finer.notional
    coarser.trades += finer.trades


@kernel
def bar_write(bar: Any, work: Any, instrument: int, timeframe: int) -> None:
    """A closed bar as strategies and the journal see it."""
    bar_fill(
        bar, work.ts_open, work.ts_close, work.open, work.high, work.low, work.close, work.volume, work.notional,
        work.trades, instrument, timeframe,
    )  # fmt: skip


@kernel
def bar_fill(
    bar: Any,
    ts_open: int,
    ts_close: int,
    opening: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    notional: float,
    trades: int,
    instrument: int,
    timeframe: int,
) -> None:
    bar.ts_open = ts_open
    bar.ts_close = ts_close
    bar.open = opening
    bar.high = high
    bar.low = low
    bar.close = close
    bar.volume = volume
    bar.vwap = notional / volume if volume > 0.0 else np.nan
    bar.trades = trades
    bar.instrument = instrument
    bar.timeframe = timeframe


@kernel
def bar_borders(
    timeframe: int, ts_ns: int, open_s: int, length_s: int, zone_from_ns: I64, zone_offset_s: I64
) -> tuple[int, int]:
    """(ts_open, ts_close) of the bar that holds `ts_ns`; of a day's session, which may have closed before `ts_ns`."""
    if timeframe == DAY_TIMEFRAME:
        return session_bounds(ts_ns, open_s, length_s, zone_from_ns, zone_offset_s)
    length_ns = LENGTH_NS[timeframe]
    ts_open = ts_ns // length_ns * length_ns
    return ts_open, ts_open + length_ns


@kernel
def bars_from_ticks(
    instrument: int,
    timeframe: int,
    open_s: int,
    length_s: int,
    zone_from_ns: I64,
    zone_offset_s: I64,
    ts_ns: I64,
    price: F64,
    size: F64,
    bars: BarArray,
    notional: F64,
) -> tuple[int, int, int]:
    """Fills `bars` and their sums of price x size; the last one may still be in progress.

    Returns how many there are (more than `bars` has rows: room ran out, and the last row was overwritten), how many
    rows were skipped as older than the newest bar, and the newest time seen.
    """
    length_ns = LENGTH_NS[timeframe] if timeframe != DAY_TIMEFRAME else 0
    count = late = i = 0
    latest_ns = closed_ns = EARLIEST
    while i < ts_ns.size:
        t = ts_ns[i]
        if t < closed_ns:
            late += 1
            i += 1
            continue
        latest_ns = t
        if t < closed_ns + length_ns:  # the bar after the last one, most of the time: no division
            ts_open, ts_close = closed_ns, closed_ns + length_ns
        else:
            ts_open, ts_close = bar_borders(timeframe, t, open_s, length_s, zone_from_ns, zone_offset_s)
        if t >= ts_close:  # outside of the day's session
            i += 1
            continue
        # bar_start and bar_add with the bar in registers
        first = i
        late_before = late
        high = low = close = price[i]
        volume = size[i]
        worth = close * volume
        i += 1
        while i < ts_ns.size and ts_ns[i] < ts_close:
            t = ts_ns[i]
            if t >= ts_open:
                latest_ns = t if t > latest_ns else latest_ns
                close = price[i]
                high = close if close > high else high
                low = close if close < low else low
                volume += size[i]
                worth += close * size[i]
            else:
                late += 1
            i += 1
        row = min(count, bars.size - 1)
        trades = i - first - (late - late_before)
        bar_fill(
            bars[row], ts_open, ts_close, price[first], high, low, close, volume, worth, trades, instrument, timeframe
        )
        notional[row] = worth
        count += 1
        closed_ns = ts_close
    return count, late, latest_ns


@kernel
def bars_from_finer(
    instrument: int,
    timeframe: int,
    open_s: int,
    length_s: int,
    zone_from_ns: I64,
    zone_offset_s: I64,
    finer: BarArray,
    finer_notional: F64,
    bars: BarArray,
    notional: F64,
) -> int:
    """Fills `bars`, which has room enough, and their sums of price x size from finer bars; returns how many there are.

    Finer bars outside of the day's session go into no day.
    """
    count = 0
    ts_close = EARLIEST
    for i in range(finer.size):
        part = finer[i]
        if part.ts_open >= ts_close:
            ts_open, closes = bar_borders(timeframe, part.ts_open, open_s, length_s, zone_from_ns, zone_offset_s)
            if part.ts_open >= closes:
                continue
            ts_close = closes
            bar_fill(
                bars[count], ts_open, ts_close, part.open, part.high, part.low, part.close, 0.0, 0.0, 0, instrument,
                timeframe,
            )  # fmt: skip
            notional[count] = 0.0
            count += 1
        bar = bars[count - 1]
        bar.high = part.high if part.high > bar.high else bar.high
        bar.low = part.low if part.low < bar.low else bar.low
        bar.close = part.close
        bar.volume += part.volume
        bar.trades += part.trades
        notional[count - 1] += finer_notional[i]
    for row in range(count):
        if bars[row].volume > 0.0:
            bars[row].vwap = notional[row] / bars[row].volume
    return count


class _Level(NamedTuple):
    bars: BarArray
    notional: F64


def bars_of_ticks(
    ts_event_ns: I64,
    price: F64,
    size: F64,
    timeframes: Sequence[int] = ALL_TIMEFRAMES,
    session: Session = ROUND_THE_CLOCK,
    *,
    instrument: int = 0,
    finish: bool = False,
) -> tuple[list[BarArray], int]:
    """Bars of one instrument: an array of `columns.BAR` per timeframe, and how many rows came too late for any.

    ts_event_ns, price, size  (n,): eligible ticks in the order received; size 0 for mids of quotes
    timeframes                indices into columns.TIMEFRAMES, finest first
    finish                    also give the bars that no later tick has closed

    A row older than the newest bar of the finest timeframe is skipped and counted. A day's bar holds the ticks within
    the session; those outside of it make bars of the other timeframes. Raises ValueError where no timeframe given
    divides the session of the day's bars.
    """
    borders = _session_arguments(session)
    level, late, latest_ns = _finest(instrument, timeframes[0], borders, ts_event_ns, price, size)
    levels = [level]
    for position, timeframe in enumerate(timeframes[1:], 1):
        parent = parent_level(session, timeframe, timeframes[:position])
        if parent is None:
            raise ValueError("no timeframe given divides the session of the day's bars; add 1m")
        levels.append(_coarser(instrument, timeframe, borders, levels[parent]))
    closed = [bars if finish or not len(bars) or bars["ts_close"][-1] <= latest_ns else bars[:-1] for bars, _ in levels]
    return closed, late


def _session_arguments(session: Session) -> tuple[int, int, I64, I64]:
    transitions = np.array(session.utc_offsets, np.int64).reshape(-1, 2).T.copy()
    return session.open_s, session.length_s, transitions[0], transitions[1]


def _finest(
    instrument: int, timeframe: int, borders: tuple[int, int, I64, I64], ts_ns: I64, price: F64, size: F64
) -> tuple[_Level, int, int]:
    room = _room(timeframe, len(ts_ns), ts_ns)
    while True:
        level = _Level(np.zeros(room, BAR), np.empty(room))
        count, late, latest_ns = bars_from_ticks(instrument, timeframe, *borders, ts_ns, price, size, *level)
        if count <= room:
            return _Level(level.bars[:count], level.notional[:count]), late, latest_ns
        room = count  # times went back, so that first and last promised too few


def _coarser(instrument: int, timeframe: int, borders: tuple[int, int, I64, I64], finer: _Level) -> _Level:
    room = _room(timeframe, len(finer.bars), finer.bars["ts_open"])
    bars, notional = np.zeros(room, BAR), np.empty(room)
    count = bars_from_finer(instrument, timeframe, *borders, *finer, bars, notional)
    return _Level(bars[:count], notional[:count])


def _room(timeframe: int, rows: int, ts_ns: I64) -> int:
    """Bars between the first and the last time, and one more at either end; no more than there are rows."""
    span_ns = int(ts_ns[-1]) - int(ts_ns[0]) if rows else 0
    return max(1, min(rows, span_ns // TIMEFRAME_NS[timeframe] + 3))
