"""How the scan closes bars: by event time or by grace, finer ones into coarser ones, each with the strategies on it."""

from typing import Any

import numpy as np

from tradingd.columns import DAY_TIMEFRAME, I64, TIMEFRAME_NS, BarArray
from tradingd.kernels.bars import bar_merge, bar_start, bar_write
from tradingd.kernels.compile import lean_kernel
from tradingd.kernels.sessions import session_bounds
from tradingd.kernels.slots import step, step_legs

Records = Any  # a NumPy record array

NEVER = np.iinfo(np.int64).max
LENGTH_NS = np.array(TIMEFRAME_NS, np.int64)
TIMEFRAME_COUNT = len(TIMEFRAME_NS)


@lean_kernel
def borders(s: Records, timeframe: int, ts_ns: int, zone: I64, offsets: I64) -> tuple[int, int]:
    """(ts_open, ts_close) of the bar that holds `ts_ns`; of a day's session, which may have closed before `ts_ns`."""
    if timeframe == DAY_TIMEFRAME:
        return session_bounds(ts_ns, s.open_s, s.length_s, zone, offsets)
    length = LENGTH_NS[timeframe]
    opened = ts_ns // length * length
    return opened, opened + length


@lean_kernel
def close_overdue(
    c: Records,
    instruments: Records,
    work: Records,
    slots: Records,
    slot_of: I64,
    steps: I64,
    wishes: Records,
    told: Records,
    leg_slots: I64,
    leg_bars: BarArray,
    leg_outs: Records,
    zone_from_ns: I64,
    zone_offset_s: I64,
    bars: BarArray,
    bar_seq: I64,
    bar_n: I64,
) -> bool:
    """Closes every bar whose close + grace core time has reached, and finds the next due."""
    changed = False
    for k in range(instruments.size):
        s = instruments[k]
        zone = zone_from_ns[s.zone_start : s.zone_stop]
        offsets = zone_offset_s[s.zone_start : s.zone_stop]
        changed |= close_bars(
            c, k, instruments, c.core_ns - c.grace_ns, work, slots, slot_of, steps, wishes, told, leg_slots, leg_bars,
            leg_outs, zone, offsets, bars, bar_seq, bar_n,
        )  # fmt: skip
    due = NEVER
    for k in range(instruments.size):
        for j in range(TIMEFRAME_COUNT):
            if work[k, j].trades > 0 and work[k, j].ts_close != NEVER:  # a bar of a source ends with its close alone
                due = min(due, work[k, j].ts_close + c.grace_ns)
    c.bar_due_ns = due
    return changed


@lean_kernel
def close_bars(
    c: Records,
    k: int,
    instruments: Records,
    until_ns: int,
    work: Records,
    slots: Records,
    slot_of: I64,
    steps: I64,
    wishes: Records,
    told: Records,
    leg_slots: I64,
    leg_bars: BarArray,
    leg_outs: Records,
    zone: I64,
    offsets: I64,
    bars: BarArray,
    bar_seq: I64,
    bar_n: I64,
) -> bool:
    """Closes the bars of instrument `k` that end at or before `until_ns`, finest first; True where a signal changed.

    A closed bar goes into the coarser one it feeds before that one is looked at, so coarser bars are sums of finer.
    """
    changed = False
    s = instruments[k]
    for j in range(s.base, TIMEFRAME_COUNT):
        w = work[k, j]
        if w.trades == 0 or w.ts_close > until_ns:
            continue
        for up in range(j + 1, TIMEFRAME_COUNT):
            if s.active[up] != 0 and s.parent[up] == j:
                feed_coarser(c, s, up, w, work[k, up], zone, offsets)
        at = emit(c, k, j, w, bars, bar_seq, bar_n)
        s.closed_ns = max(s.closed_ns, w.ts_close)
        w.trades = 0
        cell = k * TIMEFRAME_COUNT + j
        for slot in range(slot_of[cell], slot_of[cell + 1]):
            if slots[slot].legs == 1:
                changed |= step(slots[slot], bars[at], at, s, steps, wishes[slot], told[slot])
            else:
                changed |= step_legs(
                    slots[slot], bars[at], at, instruments, slots, steps, wishes, told, leg_slots, leg_bars, leg_outs
                )
    return changed


@lean_kernel
def feed_coarser(c: Records, s: Records, up: int, finer: Records, coarser: Records, zone: I64, offsets: I64) -> None:
    if coarser.trades > 0:
        bar_merge(coarser, finer)
        return
    opened, closes = borders(s, up, finer.ts_open, zone, offsets)
    if finer.ts_open < closes:  # else outside of the session
        bar_start(coarser, opened, closes, finer.open, 0.0)
        coarser.trades = 0
        bar_merge(coarser, finer)
        c.bar_due_ns = min(c.bar_due_ns, closes + c.grace_ns)


@lean_kernel
def emit(c: Records, k: int, j: int, w: Records, bars: BarArray, bar_seq: I64, bar_n: I64) -> int:
    """Writes a closed bar at the next position; returns its output row."""
    at = int(c.bars)
    bar_write(bars[at], w, k, j)
    c.n += 1
    bar_seq[at] = c.seq
    bar_n[at] = c.n
    c.bars = at + 1
    return at
